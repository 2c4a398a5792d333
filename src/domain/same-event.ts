import { equals, fromBinary } from "@bufbuild/protobuf";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";

/** Whether two encodings are of the same event: field order, map order and the like do not matter. */
export function isSameEvent(a: Uint8Array, b: Uint8Array): boolean {
  return equals(EventSchema, fromBinary(EventSchema, a), fromBinary(EventSchema, b));
}
