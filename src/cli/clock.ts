import { setTimeout } from "node:timers/promises";

/** Tells the time and waits; injected, so that tests need not. */
export interface CliClock {
  /** Milliseconds from some fixed moment; never goes back. */
  nowMs(): number;
  /** Resolves after that many milliseconds, or as soon as the signal is aborted. Never rejects. */
  wait(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: CliClock = {
  nowMs: () => performance.now(),
  wait: (ms, signal) => setTimeout(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined),
};
