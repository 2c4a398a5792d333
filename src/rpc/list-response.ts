import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { TimestampSchema, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Event } from "../../gen/sluice/v1/event_pb.ts";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import type { ListEventsResponse } from "../../gen/sluice/v1/event_service_pb.ts";
import { ListEventsResponseSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import { toCursor } from "../domain/cursor.ts";
import type { EventPage } from "../domain/list-events.ts";
import type { StoredEvent } from "../domain/ports.ts";
import type { Entrance } from "../domain/project.ts";

/*
 * What the server adds to an event is appended to the bytes that were sent, since in protobuf the last value of a field
 * counts. So a page is not decoded, and its pieces are copied once: 1 µs an event, where decoding and encoding cost 12.
 */

/** The answer to ListEvents as a message, for JSON. */
export function toListEventsResponse({ events, nextPageToken }: EventPage): ListEventsResponse {
  return create(ListEventsResponseSchema, { events: events.map(toEvent), nextPageToken });
}

/** The encoding of the answer to ListEvents, for protobuf. */
export function encodeListEventsResponse({ events, nextPageToken }: EventPage): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (const event of events) {
    const eventPieces = toPieces(event);
    const length = eventPieces.reduce((sum, piece) => sum + piece.length, 0);
    pieces.push(encodePrefix(responseFields.events.number, length), ...eventPieces);
  }
  if (nextPageToken !== "") pieces.push(encodeText(responseFields.nextPageToken.number, nextPageToken));
  return Buffer.concat(pieces);
}

/** A stored event as a reader sees it. */
export function toEvent(stored: StoredEvent): Event {
  return fromBinary(EventSchema, toEventBytes(stored));
}

/** The encoding of a stored event as a reader sees it. */
export function toEventBytes(stored: StoredEvent): Uint8Array {
  return Buffer.concat(toPieces(stored));
}

const eventFields = EventSchema.field;
const responseFields = ListEventsResponseSchema.field;

function toPieces({ bytes, position, entrance, assignedId, isTimeAbsent }: StoredEvent): Uint8Array[] {
  const { receiveTime, absentTime } = receiveTimeOf(position.ms);
  const pieces = [bytes, encodeText(eventFields.cursor.number, toCursor(position)), receiveTime, entranceOf(entrance)];
  if (assignedId !== undefined) pieces.push(encodeText(eventFields.id.number, assignedId));
  if (isTimeAbsent) pieces.push(absentTime);
  return pieces;
}

/** The receive time, as that field and as the time of an event that came without one. */
interface ReceiveTime {
  readonly ms: number;
  readonly receiveTime: Uint8Array;
  readonly absentTime: Uint8Array;
}

// All events of a chunk have the same, and they stand together on a page.
let lastReceiveTime: ReceiveTime | undefined;

function receiveTimeOf(ms: number): ReceiveTime {
  if (lastReceiveTime?.ms !== ms) {
    const timestamp = toBinary(TimestampSchema, timestampFromMs(ms));
    const encode = (field: number) => new BinaryWriter().tag(field, WireType.LengthDelimited).bytes(timestamp).finish();
    lastReceiveTime = {
      ms,
      receiveTime: encode(eventFields.receiveTime.number),
      absentTime: encode(eventFields.time.number),
    };
  }
  return lastReceiveTime;
}

const entrances = new Map<Entrance, Uint8Array>();

function entranceOf(entrance: Entrance): Uint8Array {
  let piece = entrances.get(entrance);
  if (piece === undefined) {
    piece = encodeText(eventFields.entrance.number, entrance);
    entrances.set(entrance, piece);
  }
  return piece;
}

/** A short ASCII field: its number below 16, its length below 128. */
function encodeText(field: number, text: string): Buffer {
  return Buffer.from(String.fromCharCode((field << 3) | WireType.LengthDelimited, text.length) + text, "latin1");
}

/** The tag and length in front of an embedded message; its field number below 16. */
function encodePrefix(field: number, length: number): Buffer {
  const bytes = [(field << 3) | WireType.LengthDelimited];
  let rest = length;
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}
