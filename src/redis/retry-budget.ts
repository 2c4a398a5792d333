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

const successesPerRetry = 10;
const successesMax = 20 * successesPerRetry;

export function createRetryBudget(): RetryBudget {
  let successes = successesMax;
  return {
    tryTake() {
      if (successes < successesPerRetry) return false;
      successes -= successesPerRetry;
      return true;
    },
    earn() {
      successes = Math.min(successesMax, successes + 1);
    },
  };
}
