import { create, toBinary } from "@bufbuild/protobuf";
import { TrackRequestSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import { takeEvents } from "./real-events.ts";

/** A TrackRequest with the next of the real events. */
export function takeTrackRequest(): Buffer {
  const [event] = takeEvents(1);
  if (event === undefined) throw new Error("no event");
  return Buffer.from(toBinary(TrackRequestSchema, create(TrackRequestSchema, { event })));
}
