import { hash } from "node:crypto";
import type { Entrance } from "../domain/entrance.ts";
import type { EventToAppend } from "../domain/ports.ts";
import { encodeAdded } from "./entry.ts";
import { idHashBytes } from "./id-hash.ts";

/*
 * The events of a chunk are one argument of the append script. Two arguments for each of them cost 0.5 µs an event, as
 * ioredis writes an argument in three pieces, each of which it measures twice.
 */

const payloadHashBytes = 8;
/** The first digits of the id's hash, in hex: what buckets are named after. */
const digitCount = 6;
const headBytes = 1 + digitCount + idHashBytes + payloadHashBytes;
const lengthsBytes = 1 + 4;

const digits = "0123456789abcdef";
const idAssigned = "1".charCodeAt(0);
const idGiven = "0".charCodeAt(0);

/** The events as the append script takes them: what is remembered of each, and what is stored. */
export function encodeEvents(events: readonly CameIn[]): Buffer {
  const added = events.map(({ event, entrance }) => encodeAdded(event, entrance));
  const sizes = added.reduce((sum, { length }) => sum + length, events.length * (headBytes + lengthsBytes));
  const encoded = Buffer.allocUnsafe(events.reduce((sum, { event }) => sum + event.bytes.length, sizes));
  let at = 0;
  added.forEach((extra, i) => {
    const event = events[i]?.event;
    if (event === undefined) return;
    encoded[at] = event.isIdAssigned ? idAssigned : idGiven;
    const idHashAt = at + 1 + digitCount;
    writeHash(encoded, idHashAt, event.id, idHashBytes);
    writeDigits(encoded, at + 1, idHashAt);
    writeHash(encoded, idHashAt + idHashBytes, event.bytes, payloadHashBytes);
    encoded[at + headBytes] = extra.length;
    at += headBytes + 1;
    encoded.set(extra, at);
    at = encoded.writeUInt32BE(event.bytes.length, at + extra.length);
    encoded.set(event.bytes, at);
    at += event.bytes.length;
  });
  return encoded;
}

/** As a string, because that is three times faster than asking for a Buffer: 0.25 µs for an id. */
function writeHash(target: Buffer, offset: number, input: string | Uint8Array, length: number): void {
  target.write(hash("sha256", input, "binary"), offset, length, "latin1");
}

function writeDigits(target: Buffer, offset: number, hashOffset: number): void {
  for (let digit = 0; digit < digitCount; digit++) {
    const byte = target[hashOffset + (digit >> 1)] ?? 0;
    target[offset + digit] = digits.charCodeAt(digit % 2 === 0 ? byte >> 4 : byte & 15);
  }
}

interface CameIn {
  readonly event: EventToAppend;
  readonly entrance: Entrance;
}
