import { create } from "@bufbuild/protobuf";
import type { Rejection } from "../../gen/sluice/v1/event_service_pb.ts";
import { RejectionSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import type { Violation } from "../domain/errors.ts";
import type { RejectionReason } from "../domain/outcome.ts";

/** Why an event was rejected on its own account: it will be again as long as it is as it is. */
export function toRejection({
  reason,
  violation,
}: {
  readonly reason: RejectionReason;
  readonly violation: Violation;
}): Rejection {
  return create(RejectionSchema, { reason, field: violation.field, message: violation.message, retryable: false });
}
