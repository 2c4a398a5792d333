import type { Entrance } from "../domain/entrance.ts";
import { SluiceError } from "../domain/errors.ts";
import type { AppendOptions, AppendSequence, EventToAppend } from "../domain/ports.ts";
import type { Project } from "../domain/project.ts";
import type { Quota } from "../domain/quota.ts";
import type { ChunkOutcome, ChunkReply } from "./append-events.ts";

/** What became of an event in the queue; a failed one was not stored unless its error says OUTCOME_UNKNOWN. */
export type QueueOutcome =
  | Exclude<ChunkOutcome, { kind: "full" | "throttled" }>
  | { readonly kind: "throttled"; readonly retryDelayMs: number }
  | { readonly kind: "failed"; readonly error: SluiceError };

/** What became of a submission's events, in order, and what the project's rate limits had left at the end. */
export interface QueueAnswer {
  readonly outcomes: readonly QueueOutcome[];
  readonly quotas: readonly Quota[];
}

/** The events of one call, on their way into chunks and back. */
export interface Submission {
  readonly project: Project;
  readonly entrance: Entrance;
  /** Goes into one chunk, and alone. */
  readonly isAtomic: boolean;
  readonly events: readonly EventToAppend[];
  readonly signal: AbortSignal | undefined;
  readonly sequence: AppendSequence;
  /** Index of the first event that is in no chunk yet. */
  next: number;
  /** Once every event has its outcome. */
  readonly answer: Promise<QueueAnswer>;
  /** Settles events from an index on, as a chunk's reply says of them. Events that have their outcome keep it. */
  settle(start: number, reply: ChunkReply): void;
  /** Throttles a range of events. */
  throttle(start: number, end: number, retryDelayMs: number): void;
  /** Fails a range of events, and with them their sequence. */
  fail(start: number, end: number, error: SluiceError): void;
}

/** Consecutive events of one submission that go into a chunk. */
export interface Part {
  readonly submission: Submission;
  readonly start: number;
  readonly end: number;
}

/** What a submission begins with; at least one event. */
export interface SubmissionOptions extends AppendOptions {
  readonly project: Project;
  readonly entrance: Entrance;
  readonly events: readonly EventToAppend[];
  /** Told of each event that has its outcome. */
  onSettled(event: EventToAppend): void;
}

export function createSubmission(options: SubmissionOptions): Submission {
  const { project, entrance, events, signal, isAtomic = false, sequence = {}, onSettled } = options;
  const { promise, resolve } = Promise.withResolvers<QueueAnswer>();
  const outcomes: QueueOutcome[] = new Array(events.length);
  let quotas: readonly Quota[] = [];
  let openCount = events.length;

  /** Says whether the event was still open. */
  function settleOne(index: number, outcome: QueueOutcome): boolean {
    const event = events[index];
    if (event === undefined || outcomes[index] !== undefined) return false;
    outcomes[index] = outcome;
    onSettled(event);
    if (--openCount === 0) resolve({ outcomes, quotas });
    return true;
  }

  function fail(start: number, end: number, error: SluiceError): void {
    for (let i = start; i < end; i++) if (settleOne(i, { kind: "failed", error })) sequence.failure ??= error;
  }

  return {
    project,
    entrance,
    isAtomic,
    events,
    signal,
    sequence,
    next: 0,
    answer: promise,
    settle(start, reply) {
      quotas = reply.quotas;
      let tokensWanted = 0;
      for (const [n, outcome] of reply.outcomes.entries()) {
        // What is withheld will want its token when the whole is tried again.
        if (outcome.kind === "throttled" || outcome.kind === "withheld") tokensWanted++;
        if (outcome.kind === "full") {
          fail(start + n, start + n + 1, projectFull());
        } else if (outcome.kind === "throttled") {
          sequence.throttledMs = reply.delayMsUntil(tokensWanted);
          settleOne(start + n, { kind: "throttled", retryDelayMs: sequence.throttledMs });
        } else {
          settleOne(start + n, outcome);
        }
      }
    },
    throttle(start, end, retryDelayMs) {
      for (let i = start; i < end; i++) settleOne(i, { kind: "throttled", retryDelayMs });
    },
    fail,
  };
}

function projectFull(): SluiceError {
  return new SluiceError("STORAGE_FULL", "the project holds as many events as it may");
}
