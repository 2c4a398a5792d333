import { describe, expect, it } from "vitest";
import { repeat } from "../../../src/redis/maintenance/repeat.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { waitUntil } from "../../support/wait-until.ts";

const intervalMs = 5000;

function open(replies: readonly boolean[] = []) {
  const clock = createFakeClock();
  let count = 0;
  const repeated = repeat(async () => replies[count++] ?? false, { clock, intervalMs });
  return { clock, repeated, count: () => count, untilResting: () => waitUntil(() => clock.waiting() === 1) };
}

describe("repeat", () => {
  it("does the work at once, and after each interval", async () => {
    const { clock, repeated, count, untilResting } = open();

    await untilResting();
    expect(count()).toBe(1);
    clock.advance(intervalMs);
    await untilResting();

    expect(count()).toBe(2);
    expect(clock.waits).toEqual([intervalMs, intervalMs]);
    await repeated.stop();
  });

  it("goes on at once while there is more to do", async () => {
    const { repeated, count, untilResting } = open([true, true]);

    await untilResting();

    expect(count()).toBe(3);
    await repeated.stop();
  });

  it("begins again when it is woken, also by what comes while it is at work", async () => {
    const clock = createFakeClock();
    let count = 0;
    const repeated = repeat(
      async () => {
        await Promise.resolve();
        if (++count === 1) repeated.wake();
        return false;
      },
      { clock, intervalMs },
    );
    await waitUntil(() => count === 2 && clock.waiting() === 1);

    repeated.wake();

    await waitUntil(() => count === 3 && clock.waiting() === 1);
    await repeated.stop();
  });

  it("stops at once when it waits, and else when the work is over", async () => {
    const resting = open();
    await resting.untilResting();
    await resting.repeated.stop();
    expect(resting.count()).toBe(1);

    let isOver = false;
    const working = repeat(
      (signal) =>
        new Promise((resolve) => {
          signal.addEventListener("abort", () => {
            isOver = true;
            resolve(true);
          });
        }),
      { clock: createFakeClock(), intervalMs },
    );
    await working.stop();
    expect(isOver).toBe(true);
  });
});
