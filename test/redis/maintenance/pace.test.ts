import { afterEach, describe, expect, it, vi } from "vitest";
import { createPace, WorkEnded } from "../../../src/redis/maintenance/pace.ts";
import { createFakeClock } from "../../support/fake-clock.ts";

afterEach(() => vi.restoreAllMocks());

function openPace() {
  let workedMs = 0;
  vi.spyOn(performance, "now").mockImplementation(() => workedMs);
  const clock = createFakeClock({ onWait() {} });
  const ending = new AbortController();
  const rest = createPace(clock, ending.signal);
  return {
    clock,
    ending,
    rest,
    work(ms: number) {
      workedMs += ms;
    },
  };
}

describe("createPace", () => {
  it("rests three times as long as the work took, once that is worth a rest", async () => {
    const { clock, rest, work } = openPace();

    for (const ms of [10, 1, 2, 1, 3.9, 0.1, 0.1]) {
      work(ms);
      await rest();
    }

    expect(clock.waits).toEqual([30, 12, 12]);
  });

  it("ends the work at the next rest once its signal is aborted", async () => {
    const { clock, ending, rest, work } = openPace();
    await rest();

    ending.abort();
    work(100);

    await expect(rest()).rejects.toThrow(WorkEnded);
    expect(clock.waits).toEqual([]);
  });
});
