import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type {
  Rejection,
  TrackBatchResponse,
  TrackFailure,
  TrackManyResponse,
  TrackResponse,
  TrackResult,
} from "../../gen/sluice/v1/event_service_pb.ts";
import {
  Outcome,
  RejectionSchema,
  TrackBatchResponseSchema,
  TrackFailureSchema,
  TrackManyResponseSchema,
  TrackResponseSchema,
  TrackResultSchema,
} from "../../gen/sluice/v1/event_service_pb.ts";
import { toCursor } from "../domain/cursor.ts";
import type { BatchFailure, BatchSummary, EventOutcome } from "../domain/outcome.ts";

type Rejected = Extract<EventOutcome, { kind: "rejected" }>;
type Stored = Extract<EventOutcome, { kind: "accepted" | "duplicate" }>;

/** The answer to Track. */
export function toTrackResponse({ kind, id, position }: Stored): TrackResponse {
  return create(TrackResponseSchema, {
    id,
    cursor: toCursor(position),
    duplicate: kind === "duplicate",
    receiveTime: timestampFromMs(position.ms),
  });
}

/** The answer to TrackMany. */
export function toTrackManyResponse(outcomes: readonly EventOutcome[]): TrackManyResponse {
  return create(TrackManyResponseSchema, { results: outcomes.map(toTrackResult) });
}

/** The answer to TrackBatch. */
export function toTrackBatchResponse(summary: BatchSummary): TrackBatchResponse {
  return create(TrackBatchResponseSchema, {
    acceptedCount: BigInt(summary.acceptedCount),
    duplicateCount: BigInt(summary.duplicateCount),
    rejectedCount: BigInt(summary.rejectedCount),
    unknownCount: BigInt(summary.unknownCount),
    lastCursor: summary.lastPosition === undefined ? "" : toCursor(summary.lastPosition),
    nextIndex: BigInt(summary.nextIndex),
    failures: summary.failures.map(toTrackFailure),
  });
}

function toTrackResult(outcome: EventOutcome): TrackResult {
  switch (outcome.kind) {
    case "accepted":
      return create(TrackResultSchema, {
        outcome: Outcome.ACCEPTED,
        id: outcome.id,
        cursor: toCursor(outcome.position),
      });
    case "duplicate":
      return create(TrackResultSchema, {
        outcome: Outcome.DUPLICATE,
        id: outcome.id,
        cursor: toCursor(outcome.position),
      });
    case "rejected":
      return create(TrackResultSchema, { outcome: Outcome.REJECTED, id: outcome.id, rejection: toRejection(outcome) });
    case "failed":
      return create(TrackResultSchema, { outcome: Outcome.UNKNOWN, id: outcome.id });
  }
}

function toTrackFailure(failure: BatchFailure): TrackFailure {
  const base = { index: BigInt(failure.index), id: failure.id };
  return failure.kind === "rejected"
    ? create(TrackFailureSchema, { ...base, outcome: Outcome.REJECTED, rejection: toRejection(failure) })
    : create(TrackFailureSchema, { ...base, outcome: Outcome.UNKNOWN });
}

function toRejection({ reason, violation }: Pick<Rejected, "reason" | "violation">): Rejection {
  return create(RejectionSchema, { reason, field: violation.field, message: violation.message, retryable: false });
}
