import type { Position } from "./cursor.ts";
import type { SluiceError, Violation } from "./errors.ts";

/** What became of one event that was offered. */
export type EventOutcome =
  | { readonly kind: "accepted"; readonly id: string; readonly position: Position }
  | { readonly kind: "duplicate"; readonly id: string; readonly position: Position }
  | { readonly kind: "rejected"; readonly id: string; readonly reason: RejectionReason; readonly violation: Violation }
  /** Not stored: a rate limit is used up. */
  | { readonly kind: "throttled"; readonly id: string; readonly retryDelayMs: number }
  /** Not stored, because another event of the same atomic call was not. */
  | { readonly kind: "withheld"; readonly id: string }
  /** Not stored, or perhaps stored: the error says which. */
  | { readonly kind: "failed"; readonly id: string; readonly error: SluiceError };

/** Why an event can be rejected on its own account. */
export type RejectionReason = "MALFORMED" | "EVENT_INVALID" | "ENVIRONMENT_FORBIDDEN" | "ID_CONFLICT";

/** An event of a stream that was not stored, or may not have been. */
export type BatchFailure = { readonly index: number; readonly id: string } & (
  | { readonly kind: "rejected"; readonly reason: RejectionReason; readonly violation: Violation }
  | { readonly kind: "throttled"; readonly retryDelayMs: number }
  | { readonly kind: "unknown" }
);

/** What became of a TrackBatch stream, as its response tells it. */
export interface BatchSummary {
  /** Of the events below `nextIndex`; the three add up to it. */
  readonly acceptedCount: number;
  readonly duplicateCount: number;
  readonly rejectedCount: number;
  /** Events from `nextIndex` on that a rate limit kept out. */
  readonly throttledCount: number;
  /** Events from `nextIndex` on that may have been stored. */
  readonly unknownCount: number;
  /** Highest position stored below `nextIndex`. */
  readonly lastPosition: Position | undefined;
  /** Every event of a lower index is stored or rejected. */
  readonly nextIndex: number;
  /** By index, the first 1,000. */
  readonly failures: readonly BatchFailure[];
}
