/**
 * What one call said of one event. `id` is the one that it is stored under, where that is told.
 *
 * `accepted`: stored by this call. `duplicate`: stored before. `stored`: one of the two. `refused`: certainly not stored
 * by this call. `unknown`: stored or not.
 */
export type Answer =
  | { readonly kind: "accepted" | "duplicate" | "stored"; readonly cursor?: string; readonly id?: string }
  | { readonly kind: "refused" | "unknown"; readonly reason: string };

/** What one call said of its events. */
export interface CallAnswer {
  /** One for each event, in their order. */
  readonly answers: readonly Answer[];
  /** TrackBatch's, as told; empty or absent when there is none. */
  readonly lastCursor?: string;
  /** What is wrong with the answer in itself. */
  readonly fault?: string;
}

/** A call, and its answer once there is one; without, nothing is known of its events. */
export interface CallRecord {
  readonly writer: string;
  /** What its events are known by. */
  readonly marks: readonly string[];
  /** How long its caller waits for the answer. */
  readonly timeoutMs: number;
  /** On the clock of performance.now(). */
  readonly beganAt: number;
  /** Infinity while there is no answer. */
  readonly endedAt: number;
  /** All or none; then its events are in no call but with each other. */
  readonly isAtomic?: boolean;
  readonly answer?: CallAnswer;
}

/** An event as its sender made it. */
export interface OfferedEvent {
  /** What it is known by, and no other is: its id, or, when it is sent without one, what is written into it. */
  readonly mark: string;
  readonly digest: string;
}

/** Everything that the writers did and were told. */
export interface History {
  /** Each event that was offered, by mark, with the digest of what was sent. */
  readonly offered: ReadonlyMap<string, string>;
  /** The calls of a writer are in the order in which it made them, one after the other. */
  readonly calls: readonly CallRecord[];
}

/** A history that is being written. */
export class RecordedHistory implements History {
  readonly offered = new Map<string, string>();
  readonly calls: CallRecord[] = [];
  /** How often each answer was given, by kind, and by `kind reason` where there is one. */
  readonly tally = new Map<string, number>();
  /** Calls without an answer yet. */
  openCallCount = 0;

  /** How often something was answered, such as `accepted` or `refused STORAGE_FULL`. */
  count(answer: string): number {
    return this.tally.get(answer) ?? 0;
  }

  /** Notes a call before it is made, and how it ended after it. */
  async record(
    writer: string,
    events: readonly OfferedEvent[],
    call: () => Promise<CallAnswer>,
    { timeoutMs, isAtomic = false }: Pick<CallRecord, "timeoutMs" | "isAtomic">,
  ): Promise<readonly Answer[]> {
    for (const { mark, digest } of events) this.offered.set(mark, digest);
    const record: OpenCall = {
      writer,
      marks: events.map(({ mark }) => mark),
      isAtomic,
      timeoutMs,
      beganAt: performance.now(),
      endedAt: Number.POSITIVE_INFINITY,
    };
    this.calls.push(record);
    this.openCallCount++;
    try {
      record.answer = await call();
      record.endedAt = performance.now();
    } finally {
      this.openCallCount--;
    }
    for (const answer of record.answer.answers) this.#note(answer);
    return record.answer.answers;
  }

  #note(answer: Answer): void {
    this.#increment(answer.kind);
    if ("reason" in answer) this.#increment(`${answer.kind} ${answer.reason}`);
  }

  #increment(key: string): void {
    this.tally.set(key, this.count(key) + 1);
  }
}

/** A call whose answer is yet to be noted. */
type OpenCall = Omit<CallRecord, "answer" | "endedAt"> & { answer?: CallAnswer; endedAt: number };
