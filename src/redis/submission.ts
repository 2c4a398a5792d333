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

/** Consecutive events of one submission that go into a chunk. */
export interface Part {
  readonly submission: Submission;
  readonly start: number;
  readonly end: number;
}

/** The events of one call, on their way into chunks and back. A class, as there is one for each unary call. */
export class Submission {
  readonly project: Project;
  readonly entrance: Entrance;
  /** Goes into one chunk, and alone. */
  readonly isAtomic: boolean;
  readonly events: readonly EventToAppend[];
  readonly signal: AbortSignal | undefined;
  readonly sequence: AppendSequence;
  /** Once every event has its outcome. */
  readonly answer: Promise<QueueAnswer>;
  /** Index of the first event that is in no chunk yet. */
  next = 0;
  readonly #onSettled: (event: EventToAppend) => void;
  readonly #outcomes: QueueOutcome[];
  #resolve: (answer: QueueAnswer) => void = () => {};
  #quotas: readonly Quota[] = [];
  #openCount: number;

  /** At least one event. `onSettled` is told of each that has its outcome. */
  constructor(
    project: Project,
    entrance: Entrance,
    events: readonly EventToAppend[],
    onSettled: (event: EventToAppend) => void,
    { isAtomic = false, signal, sequence = {} }: AppendOptions = {},
  ) {
    this.project = project;
    this.entrance = entrance;
    this.isAtomic = isAtomic;
    this.events = events;
    this.signal = signal;
    this.sequence = sequence;
    this.#onSettled = onSettled;
    this.#outcomes = new Array(events.length);
    this.#openCount = events.length;
    this.answer = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /**
   * Settles a part's events as a chunk's reply says of them: its outcomes from an index on. Events that have their outcome
   * keep it.
   */
  settle({ start, end }: Pick<Part, "start" | "end">, reply: ChunkReply, replyStart: number): void {
    this.#quotas = reply.quotas;
    let tokensWanted = 0;
    for (let i = start; i < end; i++) {
      const outcome = reply.outcomes[replyStart + i - start];
      if (outcome === undefined) throw new Error("a chunk's reply is too short");
      // What is withheld will want its token when the whole is tried again.
      if (outcome.kind === "throttled" || outcome.kind === "withheld") tokensWanted++;
      if (outcome.kind === "full") {
        this.fail(i, i + 1, projectFull());
      } else if (outcome.kind === "throttled") {
        const retryDelayMs = reply.delayMsUntil(tokensWanted);
        this.sequence.throttledMs = retryDelayMs;
        this.#settleOne(i, { kind: "throttled", retryDelayMs });
      } else {
        this.#settleOne(i, outcome);
      }
    }
  }

  /** Throttles a range of events. */
  throttle(start: number, end: number, retryDelayMs: number): void {
    for (let i = start; i < end; i++) this.#settleOne(i, { kind: "throttled", retryDelayMs });
  }

  /** Fails a range of events, and with them their sequence. */
  fail(start: number, end: number, error: SluiceError): void {
    for (let i = start; i < end; i++) {
      if (this.#settleOne(i, { kind: "failed", error })) this.sequence.failure ??= error;
    }
  }

  /** Says whether the event was still open. */
  #settleOne(index: number, outcome: QueueOutcome): boolean {
    const event = this.events[index];
    if (event === undefined || this.#outcomes[index] !== undefined) return false;
    this.#outcomes[index] = outcome;
    this.#onSettled(event);
    if (--this.#openCount === 0) this.#resolve({ outcomes: this.#outcomes, quotas: this.#quotas });
    return true;
  }
}

function projectFull(): SluiceError {
  return new SluiceError("STORAGE_FULL", "the project holds as many events as it may");
}
