import type { Position } from "./cursor.ts";
import { isBefore } from "./cursor.ts";
import type { SluiceError } from "./errors.ts";
import { callLimits } from "./event.ts";
import type { BatchFailure, BatchSummary, EventOutcome } from "./outcome.ts";

/** Counts what became of a stream's events. Takes their outcomes in the order of the stream. */
export interface BatchTally {
  add(outcomes: readonly EventOutcome[]): void;
  /** Why the first event that failed did; undefined while none has. */
  failure(): SluiceError | undefined;
  summary(): BatchSummary;
}

type Answered = Extract<EventOutcome, { kind: "accepted" | "duplicate" | "rejected" }>;

/**
 * The first event that failed or was throttled stops the counts and `nextIndex`: the sender goes on from there. What
 * storage did to the events after it the sender will learn by sending them again, so they are only counted as throttled
 * or unknown.
 */
export function createBatchTally(): BatchTally {
  const failures: BatchFailure[] = [];
  const counts = { accepted: 0, duplicate: 0, rejected: 0, throttled: 0, unknown: 0 };
  let index = 0;
  let nextIndex = 0;
  let lastPosition: Position | undefined;
  let failure: SluiceError | undefined;
  let isStopped = false;

  function addAnswered(outcome: Answered): void {
    counts[outcome.kind]++;
    nextIndex = index + 1;
    if (outcome.kind === "accepted" && (lastPosition === undefined || isBefore(lastPosition, outcome.position))) {
      lastPosition = outcome.position;
    }
    if (outcome.kind === "rejected") addFailure({ index, ...outcome });
  }

  function addAfterStop(outcome: EventOutcome): void {
    const { id } = outcome;
    if (outcome.kind === "throttled") {
      counts.throttled++;
      addFailure({ kind: "throttled", index, id, retryDelayMs: outcome.retryDelayMs });
    } else if (mayBeStored(outcome)) {
      counts.unknown++;
      addFailure({ kind: "unknown", index, id });
    }
  }

  function addFailure(entry: BatchFailure): void {
    if (failures.length < callLimits.failures) failures.push(entry);
  }

  return {
    add(outcomes) {
      for (const outcome of outcomes) {
        if (outcome.kind === "failed") failure ??= outcome.error;
        isStopped ||= !isAnswered(outcome);
        if (!isStopped && isAnswered(outcome)) addAnswered(outcome);
        else addAfterStop(outcome);
        index++;
      }
    },
    failure: () => failure,
    summary: () => ({
      acceptedCount: counts.accepted,
      duplicateCount: counts.duplicate,
      rejectedCount: counts.rejected,
      throttledCount: counts.throttled,
      unknownCount: counts.unknown,
      lastPosition,
      nextIndex,
      failures,
    }),
  };
}

function isAnswered(outcome: EventOutcome): outcome is Answered {
  return outcome.kind === "accepted" || outcome.kind === "duplicate" || outcome.kind === "rejected";
}

function mayBeStored(outcome: EventOutcome): boolean {
  if (outcome.kind === "failed") return outcome.error.reason === "OUTCOME_UNKNOWN";
  return outcome.kind === "accepted" || outcome.kind === "duplicate";
}
