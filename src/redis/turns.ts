import { SluiceError } from "../domain/errors.ts";
import { toReadError } from "./storage-error.ts";

/** Lets only so many tasks run at a time; the others wait for their turn, in the order in which they came. */
export interface Turns {
  /**
   * Rejects as the task does. Throws OVERLOADED when it does not come to its turn in time, and STORAGE_UNAVAILABLE when
   * the one before it found that storage is away: each would wait for the time-out after the other.
   */
  take<T>(task: () => Promise<T>): Promise<T>;
}

interface Waiting {
  readonly begin: () => void;
  readonly fail: (error: SluiceError) => void;
}

export function createTurns(atOnce: number, waitMs: number): Turns {
  const waiting = new Set<Waiting>();
  let running = 0;

  function wait(): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (settle: () => void) => {
        clearTimeout(timer);
        waiting.delete(one);
        settle();
      };
      const one: Waiting = { begin: () => leave(resolve), fail: (error) => leave(() => reject(error)) };
      const timer = setTimeout(
        () => one.fail(new SluiceError("OVERLOADED", "too many search through events at once")),
        waitMs,
      );
      waiting.add(one);
    });
  }

  return {
    async take(task) {
      if (running >= atOnce) await wait();
      else running++;
      try {
        return await task();
      } catch (thrown) {
        const error = thrown instanceof SluiceError ? thrown : toReadError(thrown);
        if (error.reason === "STORAGE_UNAVAILABLE") for (const one of waiting) one.fail(error);
        throw thrown;
      } finally {
        // The turn is handed over, so that nobody who comes now gets in between.
        const [next] = waiting;
        if (next === undefined) running--;
        else next.begin();
      }
    },
  };
}
