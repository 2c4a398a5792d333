import type { Position } from "./cursor.ts";
import { isBefore } from "./cursor.ts";
import type { SluiceError } from "./errors.ts";
import { callLimits } from "./event.ts";
import type { BatchFailure, BatchSummary, EventOutcome } from "./outcome.ts";

/** Counts what became of a stream's events. Takes their outcomes in the order of the stream. */
export interface BatchTally {
  add(outcomes: readonly EventOutcome[]): void;
  /** Why the first event without an answer has none; undefined while all have one. */
  failure(): SluiceError | undefined;
  summary(): BatchSummary;
}

/**
 * The first event that failed stops the counts and `nextIndex`: the sender goes on from there. What storage did to the
 * events after it the sender will learn by sending them again, so they are only counted as unknown.
 */
export function createBatchTally(): BatchTally {
  const failures: BatchFailure[] = [];
  const counts = { accepted: 0, duplicate: 0, rejected: 0, unknown: 0 };
  let index = 0;
  let nextIndex = 0;
  let lastPosition: Position | undefined;
  let failure: SluiceError | undefined;

  function addAnswered(outcome: Exclude<EventOutcome, { kind: "failed" }>): void {
    counts[outcome.kind]++;
    nextIndex = index + 1;
    if (outcome.kind === "accepted" && (lastPosition === undefined || isBefore(lastPosition, outcome.position))) {
      lastPosition = outcome.position;
    }
    if (outcome.kind === "rejected") addFailure({ index, ...outcome });
  }

  function addAfterFailure(outcome: EventOutcome): void {
    if (outcome.kind === "rejected") return;
    if (outcome.kind === "failed" && outcome.error.reason !== "OUTCOME_UNKNOWN") return;
    counts.unknown++;
    addFailure({ kind: "unknown", index, id: outcome.id });
  }

  function addFailure(entry: BatchFailure): void {
    if (failures.length < callLimits.failures) failures.push(entry);
  }

  return {
    add(outcomes) {
      for (const outcome of outcomes) {
        if (outcome.kind === "failed") failure ??= outcome.error;
        if (failure === undefined && outcome.kind !== "failed") addAnswered(outcome);
        else addAfterFailure(outcome);
        index++;
      }
    },
    failure: () => failure,
    summary: () => ({
      acceptedCount: counts.accepted,
      duplicateCount: counts.duplicate,
      rejectedCount: counts.rejected,
      unknownCount: counts.unknown,
      lastPosition,
      nextIndex,
      failures,
    }),
  };
}
