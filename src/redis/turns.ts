import { callEnded } from "../domain/call-end.ts";
import { SluiceError } from "../domain/errors.ts";
import type { ReadRange } from "../domain/ports.ts";
import { toReadError } from "./storage-error.ts";

/** For whom a task is done. */
export type Taker = NonNullable<ReadRange["searchFor"]>;

/**
 * Lets only so many tasks run at a time. The others wait: those of calls and those of tails in the order in which they
 * came, and one of each in turn, so that however many tails there are, they cost a call half of its speed.
 */
export interface Turns {
  /**
   * Rejects as the task does. Throws OVERLOADED when it does not come to its turn in time; STORAGE_UNAVAILABLE when the
   * one before it found that storage is away, as each would wait for the time-out after the other; CALL_ENDED, or the
   * signal's reason, when that is aborted before it has begun.
   */
  take<T>(taker: Taker, task: () => Promise<T>, signal?: AbortSignal): Promise<T>;
}

interface Waiting {
  readonly begin: () => void;
  readonly fail: (error: SluiceError) => void;
}

/** `waitMs`: how long who waits at most. */
export function createTurns(atOnce: number, waitMs: Readonly<Record<Taker, number>>): Turns {
  const queues: Record<Taker, Set<Waiting>> = { call: new Set(), tail: new Set() };
  let running = 0;
  let last: Taker = "tail";

  function wait(taker: Taker, signal: AbortSignal | undefined): Promise<void> {
    const queue = queues[taker];
    return new Promise((resolve, reject) => {
      const leave = (settle: () => void) => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", end);
        queue.delete(one);
        settle();
      };
      const one: Waiting = { begin: () => leave(resolve), fail: (error) => leave(() => reject(error)) };
      const end = () => signal && one.fail(callEnded(signal));
      const timer = setTimeout(
        () => one.fail(new SluiceError("OVERLOADED", "too many search through events at once")),
        waitMs[taker],
      );
      signal?.addEventListener("abort", end);
      queue.add(one);
    });
  }

  /** The turn is handed over, so that nobody who comes now gets in between. */
  function handOver(): void {
    const other = last === "call" ? "tail" : "call";
    const taker = queues[other].size > 0 ? other : last;
    const [next] = queues[taker];
    if (next === undefined) {
      running--;
      return;
    }
    last = taker;
    next.begin();
  }

  return {
    async take(taker, task, signal) {
      if (signal?.aborted) throw callEnded(signal);
      if (running >= atOnce) {
        await wait(taker, signal);
      } else {
        running++;
        last = taker;
      }
      try {
        return await task();
      } catch (thrown) {
        const error = thrown instanceof SluiceError ? thrown : toReadError(thrown);
        if (error.reason === "STORAGE_UNAVAILABLE") {
          for (const one of [...queues.call, ...queues.tail]) one.fail(error);
        }
        throw thrown;
      } finally {
        handOver();
      }
    },
  };
}
