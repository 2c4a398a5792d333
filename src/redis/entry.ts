import type { EventToAppend, StoredEvent } from "../domain/ports.ts";
import type { Entrance } from "../domain/project.ts";
import { readStreamId } from "./stream-place.ts";

/*
 * A stream entry has one field. Its value is the event's protobuf encoding; its name is what the server adds: flags
 * (1 byte), entrance (1 byte), and the 16 bytes of a UUID when the server assigned the id. A stream stores a name that
 * recurs only once in a hundred entries, and a reply has fewer strings to decode: a tenth more pages a second.
 */

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

/** The event's encoding in a stream entry. Throws on one that this version cannot read. */
export function eventBytesOf([added, bytes]: readonly unknown[]): Buffer {
  if (!Buffer.isBuffer(added) || !Buffer.isBuffer(bytes)) throw new Error("a stream entry is of another version");
  return bytes;
}

/** The event of a stream entry. Throws on one that this version cannot read. Written out, as a page makes a thousand. */
export function toStoredEvent(epoch: string, id: Uint8Array, fields: readonly unknown[]): StoredEvent {
  const [added, bytes] = fields;
  if (!Buffer.isBuffer(added) || !Buffer.isBuffer(bytes)) throw new Error("a stream entry is of another version");
  const flags = added[0];
  const entrance = entrances[added[1] ?? -1];
  if (flags === undefined || entrance === undefined) throw new Error("a stream entry is of another version");
  const { ms, seq } = readStreamId(id);
  return {
    position: { epoch, ms, seq },
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
