import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { fromJsonString, toBinary } from "@bufbuild/protobuf";
import { type Event, EventSchema } from "../../gen/sluice/v1/event_pb.ts";

/** The real data set. */
export const realEvents: readonly Event[] = readEvents();

const withoutIds = realEvents.map((event) => toBinary(EventSchema, { ...event, id: "" }));
const idTag = (EventSchema.field.id.number << 3) | 2;
let taken = 0;

/** The next events of the real data set, over and over, encoded, each with an id that was never used before. */
export function takeEncodedEvents(count: number): { id: string; bytes: Buffer }[] {
  return Array.from({ length: count }, () => {
    const fields = withoutIds[taken % withoutIds.length];
    if (fields === undefined) throw new Error("the data set is empty");
    const id = takeId();
    const bytes = Buffer.allocUnsafe(2 + id.length + fields.length);
    bytes[0] = idTag;
    bytes[1] = id.length;
    bytes.write(id, 2, "latin1");
    bytes.set(fields, 2 + id.length);
    return { id, bytes };
  });
}

/** An id that was never used before: less than 128 characters, and of ASCII. */
export function takeId(): string {
  return `${process.pid}-${taken++}`;
}

function readEvents(): Event[] {
  const file = new URL("../../test/fixtures/web-requests.ndjson.gz", import.meta.url);
  const lines = gunzipSync(readFileSync(file)).toString().trim().split("\n");
  return lines.map((line) => fromJsonString(EventSchema, line));
}
