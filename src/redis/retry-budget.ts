/**
 * How many retries are left: a tenth of what succeeds, and a few to begin with. Without it, a Redis that is too slow to
 * answer in time would be given everything twice, and be slower still.
 */
export interface RetryBudget {
  /** Takes one retry; says whether there was one. */
  tryTake(): boolean;
  /** Something succeeded. */
  earn(): void;
}

const retriesMax = 20;
const share = 0.1;

export function createRetryBudget(): RetryBudget {
  let retries = retriesMax;
  return {
    tryTake() {
      if (retries < 1) return false;
      retries--;
      return true;
    },
    earn() {
      retries = Math.min(retriesMax, retries + share);
    },
  };
}
