import { SluiceError } from "./errors.ts";

/** Reads a sender's messages one by one, without trusting it to send any more. */
export interface GuardedIterator<T> {
  /** The next message, when it comes. Rejects when the sender is silent for too long, or when interrupted. */
  next(): Promise<IteratorResult<T, unknown>>;
  /** Makes the pending `next`, or else the following one, reject with this error; the first interruption counts. */
  interrupt(error: SluiceError): void;
  /** Aborted with the first interruption. */
  readonly signal: AbortSignal;
}

/**
 * Guards a stream of messages. Neither a deadline nor a cancelled call ends a plain `for await` over a silent stream:
 * that would hold the call, and its memory, for as long as the sender likes.
 */
export function guardIterator<T>(source: AsyncIterable<T>, idleMs: number): GuardedIterator<T> {
  const iterator = source[Symbol.asyncIterator]();
  const aborter = new AbortController();
  let interruption: SluiceError | undefined;
  let rejectPending: ((error: SluiceError) => void) | undefined;

  function interrupt(error: SluiceError): void {
    interruption ??= error;
    aborter.abort(interruption);
    rejectPending?.(interruption);
  }

  return {
    interrupt,
    signal: aborter.signal,
    next() {
      if (interruption !== undefined) return Promise.reject(interruption);
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          interrupt(new SluiceError("STREAM_IDLE", `no message for ${idleMs / 1000} s`));
        }, idleMs);
        const settle = () => {
          clearTimeout(timer);
          rejectPending = undefined;
        };
        rejectPending = (error) => {
          settle();
          reject(error);
        };
        iterator.next().then(
          (result) => {
            settle();
            resolve(result);
          },
          (error) => {
            settle();
            reject(error);
          },
        );
      });
    },
  };
}
