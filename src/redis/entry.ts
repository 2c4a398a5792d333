import type { EventToAppend, StoredEvent } from "../domain/ports.ts";
import type { Entrance } from "../domain/project.ts";

/**
 * A stream entry has two fields. `e` is the event's protobuf encoding. `s` is what the server adds: flags (1 byte),
 * entrance (1 byte), and the 16 bytes of a UUID when the server assigned the id.
 */
export type EntryFields = Pick<StoredEvent, "bytes" | "entrance" | "assignedId" | "isTimeAbsent" | "isTest">;

const timeAbsent = 1;
const test = 2;
const idAssigned = 4;

/** Positions are what is stored: only ever append. */
const entrances: readonly Entrance[] = ["grpc", "connect", "grpc-web"];

/** What the server adds to an event, as it is stored. */
export function encodeAdded(event: EventToAppend, entrance: Entrance): Buffer {
  const flags =
    (event.isTimeAbsent ? timeAbsent : 0) | (event.isTest ? test : 0) | (event.isIdAssigned ? idAssigned : 0);
  const head = [flags, entrances.indexOf(entrance)];
  return event.isIdAssigned
    ? Buffer.concat([Buffer.from(head), Buffer.from(event.id.replaceAll("-", ""), "hex")])
    : Buffer.from(head);
}

/** The fields of a stream entry, read back. Throws on an entry that this version did not write. */
export function parseEntry(fields: readonly Buffer[]): EntryFields {
  const [eventName, bytes, addedName, added] = fields;
  const flags = added?.[0];
  const entrance = entrances[added?.[1] ?? -1];
  if (bytes === undefined || added === undefined || flags === undefined || entrance === undefined) {
    throw new Error(`a stream entry has unknown fields: ${eventName?.toString()}, ${addedName?.toString()}`);
  }
  return {
    bytes,
    entrance,
    assignedId: (flags & idAssigned) === 0 ? undefined : toUuid(added.subarray(2, 18)),
    isTimeAbsent: (flags & timeAbsent) !== 0,
    isTest: (flags & test) !== 0,
  };
}

function toUuid(bytes: Buffer): string {
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
