import { SluiceError } from "../domain/errors.ts";

/**
 * When a unary call ends: with its answer, at its deadline, or when its caller is gone. It takes 2 µs of a call; the
 * linked signals of Connect's context, and the errors with stacks that they are aborted with, take 30.
 */
export class UnaryEnd {
  readonly #endMs: number;
  readonly #timer: NodeJS.Timeout | undefined;
  #aborter: AbortController | undefined;
  #reason: unknown;
  #onDeadline: (() => void) | undefined;

  /** A time of 0 is over at once. */
  constructor(startMs: number, timeoutMs: number) {
    this.#endMs = startMs + timeoutMs;
    if (timeoutMs > 0) this.#timer = setTimeout(() => this.#expire(), timeoutMs);
    else this.#expire();
  }

  /** Aborted once the call has ended; at the deadline, for DEADLINE_EXCEEDED. Made when someone asks for it. */
  get signal(): AbortSignal {
    if (this.#aborter === undefined) {
      this.#aborter = new AbortController();
      if (this.#reason !== undefined) this.#aborter.abort(this.#reason);
    }
    return this.#aborter.signal;
  }

  /** Why the deadline ended the call; undefined unless it did. */
  get expired(): SluiceError | undefined {
    return this.#reason instanceof SluiceError ? this.#reason : undefined;
  }

  /** How long until the deadline. */
  remainingMs(): number {
    return this.#endMs - performance.now();
  }

  /** Who is told when the deadline ends the call: one at a time, and at once when it already has. */
  set onDeadline(tell: (error: SluiceError) => void) {
    const onDeadline = () => {
      const { expired } = this;
      if (expired !== undefined) tell(expired);
    };
    this.#onDeadline = onDeadline;
    onDeadline();
  }

  /** Ends the call, unless it has ended. */
  end(): void {
    this.#end(callOver);
  }

  #expire(): void {
    this.#end(new SluiceError("DEADLINE_EXCEEDED", "the deadline passed before the call was done"));
    this.#onDeadline?.();
  }

  #end(reason: unknown): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    clearTimeout(this.#timer);
    this.#aborter?.abort(reason);
  }
}

/** One for all: whoever looks at it sees that nobody waits any more. */
const callOver = new DOMException("This operation was aborted", "AbortError");
