import type { Entrance } from "../domain/entrance.ts";
import { isEntranceName } from "../domain/entrance.ts";
import type { EventToAppend, StoredEvent } from "../domain/ports.ts";
import { readStreamId } from "./stream-place.ts";

/*
 * A stream entry has one field. Its value is the event's protobuf encoding; its name is what the server adds: flags
 * (1 byte), entrance, and the 16 bytes of a UUID when the server assigned the id. A stream stores a name that recurs only
 * once in a hundred entries, and a reply has fewer strings to decode: a tenth more pages a second.
 *
 * An entrance is a byte, its number; or, for a dialect, 0x80 and the length of its name, and the name. So a dialect needs
 * no number, and a server that does not have it reads what came in by it.
 */

const timeAbsent = 1;
const test = 2;
const idAssigned = 4;

/** Their numbers are what is stored: only ever append. */
const numbered: readonly Entrance[] = ["grpc", "connect", "grpc-web"];

const nameFlag = 0x80;

const uuidBytes = 16;

/** What the server adds to an event, as it is stored. */
export function encodeAdded(event: EventToAppend, entrance: Entrance): Buffer {
  const flags =
    (event.isTimeAbsent ? timeAbsent : 0) | (event.isTest ? test : 0) | (event.isIdAssigned ? idAssigned : 0);
  const encoded = encodedEntrance(entrance);
  const idStart = 1 + encoded.length;
  const added = Buffer.allocUnsafe(idStart + (event.isIdAssigned ? uuidBytes : 0));
  added[0] = flags;
  added.set(encoded, 1);
  if (event.isIdAssigned) added.write(event.id.replaceAll("-", ""), idStart, "hex");
  return added;
}

const encodedEntrances = new Map<Entrance, readonly number[]>();

function encodedEntrance(entrance: Entrance): readonly number[] {
  let encoded = encodedEntrances.get(entrance);
  if (encoded === undefined) {
    const number = numbered.indexOf(entrance);
    if (number === -1 && !isEntranceName(entrance)) throw new Error(`no entrance can be called ${entrance}`);
    encoded = number === -1 ? [nameFlag | entrance.length, ...Buffer.from(entrance, "latin1")] : [number];
    encodedEntrances.set(entrance, encoded);
  }
  return encoded;
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
  const code = added[1] ?? nameFlag;
  const entranceEnd = code < nameFlag ? 2 : 2 + (code & ~nameFlag);
  const entrance = code < nameFlag ? numbered[code] : added.toString("latin1", 2, entranceEnd);
  if (flags === undefined || !entrance) throw new Error("a stream entry is of another version");
  const { ms, seq } = readStreamId(id);
  return {
    position: { epoch, ms, seq },
    bytes,
    entrance,
    assignedId: (flags & idAssigned) === 0 ? undefined : toUuid(added.subarray(entranceEnd, entranceEnd + uuidBytes)),
    isTimeAbsent: (flags & timeAbsent) !== 0,
    isTest: (flags & test) !== 0,
  };
}

function toUuid(bytes: Buffer): string {
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
