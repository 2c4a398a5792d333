import { create } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { TrackBatchRequest } from "../../gen/sluice/v1/event_service_pb.ts";
import { TrackBatchRequestSchema } from "../../gen/sluice/v1/event_service_pb.ts";

/** An event on its way, and the line that it came from. */
export interface OutgoingEvent {
  /** Its protobuf encoding, with an id. */
  readonly bytes: Uint8Array;
  readonly file: string;
  readonly line: number;
  /** Whether the id was in the line; else another import of the line would store it a second time. */
  readonly hasOwnId: boolean;
}

/** A message of events that are encoded already: sending them again does not cost encoding them again. */
export function toTrackBatchRequest(events: readonly OutgoingEvent[]): TrackBatchRequest {
  const request = create(TrackBatchRequestSchema);
  const writer = new BinaryWriter();
  // Fields that a message does not know are written as they are, and so are these.
  request.$unknown = events.map(({ bytes }) => ({
    no: TrackBatchRequestSchema.field.events.number,
    wireType: WireType.LengthDelimited,
    data: writer.bytes(bytes).finish(),
  }));
  return request;
}
