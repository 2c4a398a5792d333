import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { fromJsonString, toBinary } from "@bufbuild/protobuf";
import type { Event } from "../../gen/sluice/v1/event_pb.ts";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";

/** The real data set. */
export const realEvents: readonly Event[] = readEvents();

let taken = 0;

/** The next events of the real data set, over and over, each with an id that was never used before. */
export function takeEvents(count: number): Event[] {
  return Array.from({ length: count }, () => {
    const event = realEvents[taken % realEvents.length];
    if (event === undefined) throw new Error("the data set is empty");
    return { ...event, id: `${process.pid}-${taken++}` };
  });
}

/** Their encodings. */
export function takeEncodedEvents(count: number): { id: string; bytes: Uint8Array }[] {
  return takeEvents(count).map((event) => ({ id: event.id, bytes: toBinary(EventSchema, event) }));
}

function readEvents(): Event[] {
  const file = new URL("../../test/fixtures/web-requests.ndjson.gz", import.meta.url);
  const lines = gunzipSync(readFileSync(file)).toString().trim().split("\n");
  return lines.map((line) => fromJsonString(EventSchema, line));
}
