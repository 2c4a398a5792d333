import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { TrackBatchRequestSchema, TrackManyRequestSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import { callLimits } from "../domain/event.ts";
import { tooManyEvents } from "../domain/event-count.ts";

/** The number of `events` in the messages that hold several. */
const eventsNumbers: ReadonlySet<number> = new Set(
  [TrackManyRequestSchema, TrackBatchRequestSchema].map(({ field }) => field.events.number),
);

/**
 * Throws TOO_LARGE for the encoding of a TrackManyRequest or a TrackBatchRequest that holds too many events. To be asked
 * before the message is decoded: 4 MiB, a few KiB of gzip, hold two million empty events. What follows the first event
 * too many is not looked at, and bytes that are no message are left to the decoder.
 */
export function checkEncodedEventCount(bytes: Uint8Array): void {
  const reader = new BinaryReader(bytes);
  let count = 0;
  while (reader.pos < bytes.length) {
    try {
      const [number, wireType] = reader.tag();
      if (eventsNumbers.has(number) && wireType === WireType.LengthDelimited) count++;
      reader.skip(wireType, number);
    } catch {
      return;
    }
    if (count > callLimits.messageEvents) throw tooManyEvents();
  }
}
