import type { Clock } from "../../domain/ports.ts";

/** Called between the steps of some work, which goes on when it resolves. What it rejects with breaks the work off. */
export type Rest = () => Promise<void>;

/** Steps shorter than this are followed by others at once: a wait of a ms would take much longer than they did. */
const workMinMs = 4;

/**
 * Keeps some work from taking more than a quarter of the time: rests three times as long as its steps took. Rejects with
 * WorkEnded once the signal is aborted, which ends a rest too.
 */
export function createPace(clock: Clock, signal: AbortSignal): Rest {
  let startedMs = performance.now();
  return async () => {
    const workedMs = performance.now() - startedMs;
    if (workedMs >= workMinMs && !signal.aborted) {
      await clock.wait(Math.ceil(3 * workedMs), signal);
      startedMs = performance.now();
    }
    if (signal.aborted) throw new WorkEnded();
  };
}

/** Work was broken off since it is not wanted any more, at least not now. */
export class WorkEnded extends Error {
  override readonly name = "WorkEnded";
}
