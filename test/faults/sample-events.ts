import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { clone, fromJsonString, toBinary } from "@bufbuild/protobuf";
import { type Event, EventSchema } from "../../gen/sluice/v1/event_pb.ts";

/** Real events, each with a mark of its own. */
export interface SampleEvents {
  /** An event that was never made before; its mark is its id. */
  make(): Event;
  /** One without an id; its mark is one of its properties. */
  makeWithoutId(): Event;
  /** One that Sluice has to reject: it has no name. */
  makeInvalid(): Event;
}

/** Events whose marks begin with the given text. */
export function createSampleEvents(markPrefix: string): SampleEvents {
  let count = 0;
  const make = () => {
    const n = count++;
    const event = clone(EventSchema, sampleAt(n));
    event.id = `${markPrefix}/${n}`;
    return event;
  };
  return {
    make,
    makeWithoutId() {
      const event = make();
      event.properties = { ...event.properties, [markProperty]: event.id };
      event.id = "";
      return event;
    },
    makeInvalid() {
      const event = make();
      event.name = "";
      return event;
    },
  };
}

const markProperty = "mark";

/** What an event is known by, as it was sent and as it is listed. */
export function markOf({ id, properties }: Event): string {
  return readMark(properties) ?? id;
}

/** What a sender said, in short: equal for an event as it was sent and as it is listed. */
export function digestEvent(event: Event): string {
  const { receiveTime: _, ...rest } = event;
  const sent = readMark(rest.properties) === undefined ? rest : { ...rest, id: "" };
  return hash("sha1", toBinary(EventSchema, { ...sent, cursor: "", entrance: "" }), "base64url");
}

function readMark(properties: Event["properties"]): string | undefined {
  const mark = properties?.[markProperty];
  return typeof mark === "string" ? mark : undefined;
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
