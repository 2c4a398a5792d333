/** What was done in a run. */
export interface Run {
  readonly done: number;
  /** How long each call took, in ms; empty where calls have no answer of their own. */
  readonly tookMs: readonly number[];
}

/** Works with several callers at a time until the time is over; each turn says how many units it did. */
export async function runCallers(callers: number, forMs: number, turn: () => Promise<number>): Promise<Run> {
  const endMs = performance.now() + forMs;
  const tookMs: number[] = [];
  let done = 0;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      for (let startMs = performance.now(); startMs < endMs; ) {
        // Read behind the turn: the others add to it meanwhile.
        const units = await turn();
        done += units;
        const nowMs = performance.now();
        tookMs.push(nowMs - startMs);
        startMs = nowMs;
      }
    }),
  );
  return { done, tookMs };
}
