import { setTimeout as sleep } from "node:timers/promises";

/** Waits until a condition gives a value, and returns that. Throws when it gives undefined or false for 10 s. */
export async function waitUntil<T>(
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = 10_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain for: ${condition}`);
    await sleep(5);
  }
}
