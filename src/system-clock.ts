import { setTimeout } from "node:timers/promises";
import type { Clock } from "./domain/ports.ts";

/** The longest that a timer of Node's can run: about 24 days. */
const timerMaxMs = 2 ** 31 - 1;

/** This machine's clock. What only waits keeps no process alive. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  async wait(ms, signal) {
    const options = { signal, ref: false };
    for (let leftMs = ms; leftMs > 0 && !signal.aborted; leftMs -= timerMaxMs) {
      await setTimeout(Math.min(leftMs, timerMaxMs), undefined, options).catch(() => undefined);
    }
  },
};
