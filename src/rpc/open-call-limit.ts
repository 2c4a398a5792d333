/** Bounds how many calls that need no key, and last, are open at a time: each takes up to 40 KB. */
export interface OpenCallLimit {
  /** Counts a call until its signal is aborted. False when there are too many: then it is not counted. */
  enter(signal: AbortSignal): boolean;
}

/** What a call is told that is one too many. */
export const tooManyOpenCalls = "too many calls without a key are open";

export function createOpenCallLimit(callsMax: number): OpenCallLimit {
  let count = 0;
  return {
    enter(signal) {
      if (signal.aborted) return true;
      if (count >= callsMax) return false;
      count++;
      signal.addEventListener("abort", () => count--, { once: true });
      return true;
    },
  };
}
