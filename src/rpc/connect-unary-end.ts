import { SluiceError } from "../domain/errors.ts";

/**
 * When a unary call ends: with its answer, at its deadline, or when its caller is gone. It takes 2 µs of a call; the
 * linked signals of Connect's context, and the errors with stacks that they are aborted with, take 30.
 *
 * No function that is made for a call is kept in a field here: measured, V8 then keeps most calls until the next full
 * collection, 3 KB each, and copying those takes 20 µs a call. So who is told is given in two parts.
 */
export class UnaryEnd {
  readonly #timeoutMs: number;
  readonly #endMs: number;
  readonly #timer: NodeJS.Timeout | undefined;
  #aborter: AbortController | undefined;
  #reason: unknown;
  #reject: ((error: SluiceError) => void) | undefined;
  #toError: ((timeoutMs: number) => SluiceError) | undefined;

  /** A time of 0 is over at once. */
  constructor(startMs: number, timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
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

  /**
   * Rejects a promise when the deadline ends the call, or has ended it: at once with what `toError` gives, without it a
   * moment later with `expired`. Instead of the promise that was named before.
   */
  rejectAtDeadline(reject: (error: SluiceError) => void, toError?: (timeoutMs: number) => SluiceError): void {
    this.#reject = reject;
    this.#toError = toError;
    this.#tell();
  }

  /** Ends the call, unless it has ended. */
  end(): void {
    this.#end(callOver);
  }

  #expire(): void {
    this.#end(new SluiceError("DEADLINE_EXCEEDED", "the deadline passed before the call was done"));
    this.#tell();
  }

  #tell(): void {
    const { expired } = this;
    if (expired === undefined || this.#reject === undefined) return;
    if (this.#toError === undefined) setImmediate(this.#reject, expired);
    else this.#reject(this.#toError(this.#timeoutMs));
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
