import type { SluiceError } from "../domain/errors.ts";
import type { AppendOptions, AppendSequence, EventToAppend } from "../domain/ports.ts";
import type { Entrance } from "../domain/project.ts";
import type { ChunkOutcome } from "./append-events.ts";

/** What became of an event in the queue; a failed one was not stored unless its error says OUTCOME_UNKNOWN. */
export type QueueOutcome = ChunkOutcome | { readonly kind: "failed"; readonly error: SluiceError };

/** The events of one call, on their way into chunks and back. */
export interface Submission {
  readonly entrance: Entrance;
  readonly events: readonly EventToAppend[];
  readonly signal: AbortSignal | undefined;
  readonly sequence: AppendSequence;
  /** Index of the first event that is in no chunk yet. */
  next: number;
  /** One for each event, in order, once all have theirs. */
  readonly outcomes: Promise<QueueOutcome[]>;
  settle(index: number, outcome: QueueOutcome): void;
  /** Fails a range of events, and with them their sequence. */
  fail(start: number, end: number, error: SluiceError): void;
}

/** Consecutive events of one submission that go into a chunk. */
export interface Part {
  readonly submission: Submission;
  readonly start: number;
  readonly end: number;
}

/** A submission of at least one event. `onSettled` is told of each event that has its outcome. */
export function createSubmission(
  entrance: Entrance,
  events: readonly EventToAppend[],
  { signal, sequence = {} }: AppendOptions,
  onSettled: (event: EventToAppend) => void,
): Submission {
  const { promise, resolve } = Promise.withResolvers<QueueOutcome[]>();
  const outcomes: QueueOutcome[] = new Array(events.length);
  let openCount = events.length;

  function settle(index: number, outcome: QueueOutcome): void {
    const event = events[index];
    if (event === undefined) return;
    outcomes[index] = outcome;
    onSettled(event);
    if (--openCount === 0) resolve(outcomes);
  }

  return {
    entrance,
    events,
    signal,
    sequence,
    next: 0,
    outcomes: promise,
    settle,
    fail(start, end, error) {
      if (start < end) sequence.failure ??= error;
      for (let i = start; i < end; i++) settle(i, { kind: "failed", error });
    },
  };
}
