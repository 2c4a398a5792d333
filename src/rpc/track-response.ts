import { create } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type {
  TrackBatchResponse,
  TrackFailure,
  TrackManyResponse,
  TrackResponse,
  TrackResult,
} from "../../gen/sluice/v1/event_service_pb.ts";
import {
  Outcome,
  TrackBatchResponseSchema,
  TrackFailureSchema,
  TrackManyResponseSchema,
  TrackResponseSchema,
  TrackResultSchema,
} from "../../gen/sluice/v1/event_service_pb.ts";
import { toCursor } from "../domain/cursor.ts";
import type { ErrorReason } from "../domain/errors.ts";
import { SluiceError } from "../domain/errors.ts";
import type { Answer } from "../domain/offer-events.ts";
import type { BatchFailure, BatchSummary, EventOutcome } from "../domain/outcome.ts";
import type { Quota } from "../domain/quota.ts";
import type { StoredAnswer } from "../domain/track.ts";
import { toQuotaField } from "./quota-message.ts";
import { toRejection } from "./rejection-message.ts";

/** The answer to Track. */
export function toTrackResponse({ outcome: { kind, id, position }, quotas }: StoredAnswer): TrackResponse {
  return create(TrackResponseSchema, {
    id,
    cursor: toCursor(position),
    duplicate: kind === "duplicate",
    receiveTime: timestampFromMs(position.ms),
    ...toQuotaField(quotas),
  });
}

/** The answer to TrackMany. */
export function toTrackManyResponse({ outcomes, quotas }: Answer): TrackManyResponse {
  return create(TrackManyResponseSchema, { results: outcomes.map(toTrackResult), ...toQuotaField(quotas) });
}

/** The answer to TrackBatch. */
export function toTrackBatchResponse(summary: BatchSummary, quotas: readonly Quota[] = []): TrackBatchResponse {
  return create(TrackBatchResponseSchema, {
    acceptedCount: BigInt(summary.acceptedCount),
    duplicateCount: BigInt(summary.duplicateCount),
    rejectedCount: BigInt(summary.rejectedCount),
    throttledCount: BigInt(summary.throttledCount),
    unknownCount: BigInt(summary.unknownCount),
    lastCursor: summary.lastPosition === undefined ? "" : toCursor(summary.lastPosition),
    nextIndex: BigInt(summary.nextIndex),
    failures: summary.failures.map(toTrackFailure),
    ...toQuotaField(quotas),
  });
}

function toTrackResult(outcome: EventOutcome): TrackResult {
  return create(TrackResultSchema, { id: outcome.id, ...toResultFields(outcome) });
}

function toTrackFailure(failure: BatchFailure): TrackFailure {
  const { index, id } = failure;
  return create(TrackFailureSchema, { index: BigInt(index), id, ...toFailureFields(failure) });
}

function toResultFields(outcome: EventOutcome) {
  switch (outcome.kind) {
    case "accepted":
      return { outcome: Outcome.ACCEPTED, cursor: toCursor(outcome.position) };
    case "duplicate":
      return { outcome: Outcome.DUPLICATE, cursor: toCursor(outcome.position) };
    case "rejected":
    case "throttled":
      return toFailureFields(outcome);
    case "failed":
      return notStored.has(outcome.error.reason)
        ? { outcome: Outcome.REJECTED, rejection: toPassingRejection(outcome.error) }
        : { outcome: Outcome.UNKNOWN };
    case "withheld":
      // An atomic call has all its events stored, or fails.
      throw new SluiceError("INTERNAL", "an event was withheld, and none of its call to blame");
  }
}

function toFailureFields(failure: BatchFailure | Extract<EventOutcome, { kind: "rejected" | "throttled" }>) {
  switch (failure.kind) {
    case "rejected":
      return { outcome: Outcome.REJECTED, rejection: toRejection(failure) };
    case "throttled":
      return { outcome: Outcome.THROTTLED, retryDelay: durationFromMs(failure.retryDelayMs) };
    case "unknown":
      return { outcome: Outcome.UNKNOWN };
  }
}

/** Failures of storage after which an event is certainly not stored; it may be later. */
const notStored: ReadonlySet<ErrorReason> = new Set([
  "STORAGE_FULL",
  "STORAGE_UNAVAILABLE",
  "OVERLOADED",
  "SHUTTING_DOWN",
]);

function toPassingRejection({ reason, message }: SluiceError) {
  return { reason, field: "", message, retryable: true };
}
