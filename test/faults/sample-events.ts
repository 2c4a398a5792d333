import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { clone, fromJsonString, toBinary } from "@bufbuild/protobuf";
import { type Event, EventSchema } from "../../gen/sluice/v1/event_pb.ts";

/** Real events, each with an id of its own. */
export interface SampleEvents {
  /** An event that was never made before. */
  make(): Event;
  /** One that Sluice has to reject: it has no name. */
  makeInvalid(): Event;
}

/** Events whose ids begin with the given text. */
export function createSampleEvents(idPrefix: string): SampleEvents {
  let count = 0;
  const make = () => {
    const n = count++;
    const event = clone(EventSchema, sampleAt(n));
    event.id = `${idPrefix}/${n}`;
    return event;
  };
  return {
    make,
    makeInvalid() {
      const event = make();
      event.name = "";
      return event;
    },
  };
}

/** What a sender said, in short: equal for an event as it was sent and as it is listed. */
export function digestEvent(event: Event): string {
  const { receiveTime: _, ...sent } = event;
  return hash("sha1", toBinary(EventSchema, { ...sent, cursor: "", entrance: "" }), "base64url");
}

// Enough for variety: to decode all 9,999 would cost each run half a second.
const sampleCount = 500;
let samples: Event[] | undefined;

function sampleAt(n: number): Event {
  samples ??= readSamples();
  return samples[n % samples.length] as Event;
}

function readSamples(): Event[] {
  const file = new URL("../fixtures/web-requests.ndjson.gz", import.meta.url);
  const lines = gunzipSync(readFileSync(file)).toString().split("\n").slice(0, sampleCount);
  return lines.map((line) => fromJsonString(EventSchema, line));
}
