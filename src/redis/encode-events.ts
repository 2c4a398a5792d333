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
const headBytes = 1 + idHashBytes + payloadHashBytes;
const lengthsBytes = 1 + 4;

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
    writeHash(encoded, at + 1, event.id, idHashBytes);
    writeHash(encoded, at + 1 + idHashBytes, event.bytes, payloadHashBytes);
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

interface CameIn {
  readonly event: EventToAppend;
  readonly entrance: Entrance;
}
