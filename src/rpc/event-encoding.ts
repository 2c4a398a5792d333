import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { TimestampSchema, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Event } from "../../gen/sluice/v1/event_pb.ts";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import { cursorLength, cursorSeqOffset, type Position, toCursor, writeCursorSeq } from "../domain/cursor.ts";
import type { Entrance } from "../domain/entrance.ts";
import type { StoredEvent } from "../domain/ports.ts";

/*
 * What the server adds to an event is appended to the bytes that were sent, since in protobuf the last value of a field
 * counts. So events are not decoded, and are written once, in place: half a µs each.
 */

/** A field of a message: its number below 16, and an ASCII text of less than 128 characters. */
export interface ShortText {
  readonly number: number;
  readonly text: string;
}

/** The encoding of a message that holds events, in a field whose number is below 16, and a text, unless that is empty. */
export function encodeEvents(
  fieldNumber: number,
  events: readonly StoredEvent[],
  { number, text }: ShortText = { number: 0, text: "" },
): Uint8Array {
  const sizes = events.map(sizeOf);
  const eventsSize = sizes.reduce((sum, size) => sum + prefixSize(size) + size, 0);
  const message = Buffer.allocUnsafe(eventsSize + (text === "" ? 0 : 2 + text.length));
  let offset = 0;
  for (const [i, event] of events.entries()) {
    offset = writePrefix(message, offset, fieldNumber, sizes[i] ?? 0);
    offset = writeEvent(message, offset, event);
  }
  if (text !== "") writeText(message, offset, number, text);
  return message;
}

/** A stored event as a reader sees it. */
export function toEvent(stored: StoredEvent): Event {
  return fromBinary(EventSchema, toEventBytes(stored));
}

/** The encoding of a stored event as a reader sees it. */
export function toEventBytes(stored: StoredEvent): Uint8Array {
  const bytes = Buffer.allocUnsafe(sizeOf(stored));
  writeEvent(bytes, 0, stored);
  return bytes;
}

const eventFields = EventSchema.field;

function sizeOf({ bytes, position, entrance, assignedId, isTimeAbsent }: StoredEvent): number {
  const { added, absentTime } = addedTo(position, entrance);
  const idSize = assignedId === undefined ? 0 : 2 + assignedId.length;
  return bytes.length + added.length + idSize + (isTimeAbsent ? absentTime.length : 0);
}

/** Writes an event, and returns the offset behind it. */
function writeEvent(target: Buffer, start: number, stored: StoredEvent): number {
  const { bytes, position, entrance, assignedId, isTimeAbsent } = stored;
  const { added, absentTime } = addedTo(position, entrance);
  let offset = writeBytes(target, start, bytes);
  const cursor = offset + 2;
  offset = writeBytes(target, offset, added);
  writeCursorSeq(target, cursor + cursorSeqOffset, position.seq);
  if (assignedId !== undefined) offset = writeText(target, offset, eventFields.id.number, assignedId);
  return isTimeAbsent ? writeBytes(target, offset, absentTime) : offset;
}

/** What is added to every event of one millisecond and entrance: but for the end of the cursor, the same. */
interface Added {
  readonly epoch: string;
  readonly ms: number;
  readonly entrance: Entrance;
  /** Cursor, which stands first, receive time and entrance. */
  readonly added: Uint8Array;
  /** The receive time as the time of an event that came without one. */
  readonly absentTime: Uint8Array;
}

// All events of a chunk have the same, and they stand together on a page.
let last: Added | undefined;

function addedTo(position: Position, entrance: Entrance): Added {
  const { epoch, ms } = position;
  if (last?.ms === ms && last.entrance === entrance && last.epoch === epoch) return last;
  const timestamp = toBinary(TimestampSchema, timestampFromMs(ms));
  const timeAt = (field: number) => new BinaryWriter().tag(field, WireType.LengthDelimited).bytes(timestamp).finish();
  const cursor = Buffer.alloc(2 + cursorLength);
  writeText(cursor, 0, eventFields.cursor.number, toCursor(position));
  last = {
    epoch,
    ms,
    entrance,
    added: Buffer.concat([cursor, timeAt(eventFields.receiveTime.number), entranceOf(entrance)]),
    absentTime: timeAt(eventFields.time.number),
  };
  return last;
}

const entrances = new Map<Entrance, Buffer>();

function entranceOf(entrance: Entrance): Buffer {
  let piece = entrances.get(entrance);
  if (piece === undefined) {
    piece = Buffer.alloc(2 + entrance.length);
    writeText(piece, 0, eventFields.entrance.number, entrance);
    entrances.set(entrance, piece);
  }
  return piece;
}

function writeBytes(target: Buffer, offset: number, bytes: Uint8Array): number {
  target.set(bytes, offset);
  return offset + bytes.length;
}

/** A short ASCII field: its number below 16, its length below 128. */
function writeText(target: Buffer, offset: number, field: number, text: string): number {
  target[offset] = (field << 3) | WireType.LengthDelimited;
  target[offset + 1] = text.length;
  target.write(text, offset + 2, "latin1");
  return offset + 2 + text.length;
}

/** The tag and length in front of an embedded message; its field number below 16. */
function writePrefix(target: Buffer, start: number, field: number, length: number): number {
  let offset = start;
  target[offset++] = (field << 3) | WireType.LengthDelimited;
  let rest = length;
  for (; rest > 127; rest >>>= 7) target[offset++] = (rest & 127) | 128;
  target[offset++] = rest;
  return offset;
}

function prefixSize(length: number): number {
  let size = 2;
  for (let rest = length >>> 7; rest > 0; rest >>>= 7) size++;
  return size;
}
