/** Bytes of answers to tails that were handed to a transport, and that it has not yet got rid of. */
export interface TailBudget {
  /** Counts the bytes if there is room, and nobody waits for it; says whether it did. */
  tryTake(bytes: number): boolean;
  /**
   * Counts the bytes once there is room, in the order of asking; says whether it did, which is not so when the time is up
   * or the signal aborted.
   */
  takeInTurn(bytes: number, signal: AbortSignal, waitMs: number): Promise<boolean>;
  release(bytes: number): void;
}

interface Waiter {
  readonly bytes: number;
  leave(isTaken: boolean): void;
}

/** There is room as long as less than the most is taken: whatever comes then may pass it, once. */
export function createTailBudget(bytesMax: number): TailBudget {
  const waiters = new Set<Waiter>();
  let taken = 0;

  return {
    tryTake(bytes) {
      if (waiters.size > 0 || taken >= bytesMax) return false;
      taken += bytes;
      return true;
    },
    takeInTurn(bytes, signal, waitMs) {
      if (signal.aborted) return Promise.resolve(false);
      return new Promise((resolve) => {
        const giveUp = () => waiter.leave(false);
        const timer = setTimeout(giveUp, waitMs);
        const waiter: Waiter = {
          bytes,
          leave(isTaken) {
            clearTimeout(timer);
            signal.removeEventListener("abort", giveUp);
            waiters.delete(waiter);
            resolve(isTaken);
          },
        };
        signal.addEventListener("abort", giveUp);
        waiters.add(waiter);
      });
    },
    release(bytes) {
      taken -= bytes;
      for (const waiter of waiters) {
        if (taken >= bytesMax) return;
        taken += waiter.bytes;
        waiter.leave(true);
      }
    },
  };
}
