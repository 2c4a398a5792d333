import { describe, expect, it } from "vitest";
import { systemClock } from "../src/system-clock.ts";

const dayMs = 24 * 60 * 60 * 1000;

describe("systemClock", () => {
  it("tells the time of this machine", () => {
    const before = Date.now();
    const nowMs = systemClock.nowMs();

    expect(nowMs).toBeGreaterThanOrEqual(before);
    expect(nowMs).toBeLessThanOrEqual(Date.now());
  });

  it("waits until the time is over", async () => {
    const start = performance.now();
    await systemClock.wait(20, new AbortController().signal);

    // Timers count whole milliseconds of another clock.
    expect(performance.now() - start).toBeGreaterThanOrEqual(19);
  });

  it.each([1000, 30 * dayMs])("waits %d ms no longer once it is aborted, and no shorter", async (ms) => {
    const stop = new AbortController();
    let isOver = false;
    const wait = systemClock.wait(ms, stop.signal).then(() => {
      isOver = true;
    });
    await systemClock.wait(10, new AbortController().signal);
    expect(isOver).toBe(false);

    stop.abort();
    await wait;
  });

  it("waits for nothing when it is aborted already", async () => {
    await systemClock.wait(dayMs, AbortSignal.abort());
  });

  it("keeps no process alive", async () => {
    const timerCount = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
    const stop = new AbortController();
    const before = timerCount();

    const wait = systemClock.wait(dayMs, stop.signal);

    expect(timerCount()).toBe(before);
    stop.abort();
    await wait;
  });
});
