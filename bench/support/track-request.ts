import { TrackBatchRequestSchema, TrackRequestSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import { takeEncodedEvents } from "./real-events.ts";

/** A TrackRequest with the next of the real events. */
export function takeTrackRequest(): Buffer {
  return encodeMessage(TrackRequestSchema.field.event.number, takeEncodedEvents(1));
}

/** A TrackBatchRequest with so many of the next real events. */
export function takeBatchRequest(eventCount: number): Buffer {
  return encodeBatchRequest(takeEncodedEvents(eventCount));
}

/** A TrackBatchRequest with these events. */
export function encodeBatchRequest(events: readonly { readonly bytes: Uint8Array }[]): Buffer {
  return encodeMessage(TrackBatchRequestSchema.field.events.number, events);
}

/** By hand: the encoder would take as long as the server does with the whole event. */
function encodeMessage(fieldNumber: number, events: readonly { readonly bytes: Uint8Array }[]): Buffer {
  const headBytesMax = 5;
  const buffer = Buffer.allocUnsafe(events.reduce((sum, { bytes }) => sum + headBytesMax + bytes.length, 0));
  let at = 0;
  for (const { bytes } of events) {
    buffer[at++] = (fieldNumber << 3) | 2;
    let left = bytes.length;
    for (; left >= 0x80; left >>>= 7) buffer[at++] = (left & 0x7f) | 0x80;
    buffer[at++] = left;
    buffer.set(bytes, at);
    at += bytes.length;
  }
  return buffer.subarray(0, at);
}
