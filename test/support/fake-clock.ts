import type { Clock } from "../../src/domain/ports.ts";

/** A clock that stands still until it is told to go on. */
export interface FakeClock extends Clock {
  /** How long each wait so far was to take. */
  readonly waits: readonly number[];
  /** How many waits are under way. */
  waiting(): number;
  /** Lets time pass; the waits that are over then end. */
  advance(ms: number): void;
}

/** Where a fake clock begins, and what its waits do. */
export interface FakeClockOptions {
  readonly nowMs?: number;
  /** Called for each wait, which is over at once then, and its time with it. */
  readonly onWait?: (ms: number) => void;
}

export function createFakeClock({ nowMs = Date.UTC(2026, 0, 31), onWait }: FakeClockOptions = {}): FakeClock {
  const waits: number[] = [];
  const waiting = new Set<{ untilMs: number; end: () => void }>();
  return {
    waits,
    nowMs: () => nowMs,
    waiting: () => waiting.size,
    advance(ms) {
      nowMs += ms;
      for (const one of waiting) if (one.untilMs <= nowMs) one.end();
    },
    wait(ms, signal) {
      waits.push(ms);
      if (signal.aborted) return Promise.resolve();
      if (onWait !== undefined) {
        nowMs += ms;
        onWait(ms);
        return Promise.resolve();
      }
      return new Promise((resolve) => {
        const one = {
          untilMs: nowMs + ms,
          end: () => {
            waiting.delete(one);
            resolve();
          },
        };
        waiting.add(one);
        signal.addEventListener("abort", one.end, { once: true });
      });
    },
  };
}
