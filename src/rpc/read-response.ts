import {
  GetEventResponseSchema,
  ListEventsResponseSchema,
  TailEventsResponseSchema,
} from "../../gen/sluice/v1/event_service_pb.ts";
import { toCursor } from "../domain/cursor.ts";
import type { EventPage } from "../domain/list-events.ts";
import type { StoredEvent } from "../domain/ports.ts";
import type { TailBatch } from "../domain/tail-events.ts";
import { encodeEvents } from "./event-encoding.ts";

const list = ListEventsResponseSchema.field;
const tail = TailEventsResponseSchema.field;

/** The encoding of the answer to ListEvents. */
export function encodeListEventsResponse({ events, nextPageToken }: EventPage): Uint8Array {
  return encodeEvents(list.events.number, events, { number: list.nextPageToken.number, text: nextPageToken });
}

/** The encoding of the answer to GetEvent. */
export function encodeGetEventResponse(event: StoredEvent): Uint8Array {
  return encodeEvents(GetEventResponseSchema.field.event.number, [event]);
}

/** The encoding of one of the answers to TailEvents. */
export function encodeTailEventsResponse({ events, reached }: TailBatch): Uint8Array {
  return encodeEvents(tail.events.number, events, { number: tail.cursor.number, text: toCursor(reached) });
}
