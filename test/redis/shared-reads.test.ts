import { getEventListeners } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Position } from "../../src/domain/cursor.ts";
import { isBefore } from "../../src/domain/cursor.ts";
import { type ErrorReason, SluiceError } from "../../src/domain/errors.ts";
import type { EventLog, ReadRange, StoredEvent } from "../../src/domain/ports.ts";
import { createSharedReads } from "../../src/redis/shared-reads.ts";
import { newProject } from "../support/events.ts";

const epoch = "shared-epoch";
const at = (ms: number): Position => ({ epoch, ms, seq: 0 });

/** An event whose bytes are part of what else was received with it. */
const received = (ms: number): StoredEvent => ({
  position: at(ms),
  bytes: new Uint8Array(64).subarray(10, 20),
  entrance: "grpc",
  assignedId: undefined,
  isTimeAbsent: false,
  isTest: false,
});

/** A log of events at 1, 2, 3 and so on, of which so many are read at a time, each time when it is let go. */
function setUp({ count = 10, readMax = 3 } = {}) {
  const stored = Array.from({ length: count }, (_, i) => received(i + 1));
  const ranges: ReadRange[] = [];
  const held: (() => void)[] = [];
  let isHeld = false;
  let failure: SluiceError | undefined;
  const read: EventLog["read"] = async (_, range) => {
    ranges.push(range);
    if (isHeld) await new Promise<void>((resolve) => held.push(resolve));
    if (failure !== undefined) throw failure;
    const behind = stored.filter(({ position }) => range.after !== undefined && isBefore(range.after, position));
    const events = behind.slice(0, readMax);
    return { events, reached: events.at(-1)?.position, scannedCount: events.length, isEnd: behind.length < readMax };
  };
  const { signal } = new AbortController();
  const project = newProject();
  const readShared = createSharedReads(read, 1000);
  const ask = async (ms: number) => {
    const { events, isEnd } = await readShared(project, at(ms), signal);
    return { times: events.map(({ position }) => position.ms), isEnd };
  };
  return {
    ranges,
    readFrom: () => ranges.map(({ after }) => after?.ms),
    signal,
    project,
    readShared,
    ask,
    hold() {
      isHeld = true;
    },
    letGo(error?: SluiceError) {
      failure = error;
      isHeld = false;
      for (const resolve of held.splice(0)) resolve();
    },
  };
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("createSharedReads", () => {
  it("reads once for all at one position, as a search for tails, and gives them the same, with bytes of its own", async () => {
    const { ranges, signal, project, readShared } = setUp();

    const slices = await Promise.all([1, 2, 3].map(() => readShared(project, at(0), signal)));

    expect(ranges).toMatchObject([{ after: at(0), order: "oldest-first", countMax: 1000, searchFor: "tail" }]);
    expect(new Set(slices).size).toBe(1);
    expect(slices[0]?.events[0]).toEqual(received(1));
    expect(slices[0]?.events[0]?.bytes.buffer.byteLength).toBe(10);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  it("gives those further ahead what is behind their positions", async () => {
    const { ask, readFrom, hold, letGo } = setUp({ count: 5 });
    hold();
    const first = ask(0);
    const others = [ask(1), ask(3), ask(5), ask(9)];

    await nextTurn();
    letGo();

    expect(await first).toEqual({ times: [1, 2, 3], isEnd: false });
    expect(await Promise.all(others)).toEqual([
      { times: [2, 3], isEnd: false },
      { times: [4, 5], isEnd: true },
      { times: [], isEnd: true },
      { times: [], isEnd: true },
    ]);
    expect(readFrom()).toEqual([0, 3]);
  });

  it("brings tails from everywhere to the end, each past every event once, and together on their way", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(199), { minLength: 1, maxLength: 100 }),
        fc.integer({ min: 11, max: 50 }),
        async (starts, readMax) => {
          const { ask, readFrom } = setUp({ count: 200, readMax });
          const walk = async (start: number) => {
            const times: number[] = [];
            for (let after = start; ; after = times.at(-1) ?? start) {
              const slice = await ask(after);
              times.push(...slice.times);
              if (slice.isEnd) return times;
            }
          };

          const walks = await Promise.all(starts.map(walk));

          for (const [i, start] of starts.entries()) {
            expect(walks[i]).toEqual(Array.from({ length: 200 - start }, (_, k) => start + k + 1));
          }
          // The one that is furthest behind goes on for 20 reads before another has its turn, and takes along whom it meets.
          expect(readFrom().length).toBeLessThanOrEqual(Math.ceil(200 / readMax) + 1);
        },
      ),
      { numRuns: 50 },
    ));

  it.each([
    ["behind", 0, 40],
    ["ahead of", 900, 20],
  ])("lets whoever is %s another have a turn, while that goes on and on", async (_, position, readsBefore) => {
    const { ask, readFrom } = setUp({ count: 1000, readMax: 1 });
    let isGoingOn = true;
    const goOn = (async () => {
      for (let after = 500; isGoingOn; after++) await ask(after);
    })();
    await nextTurn();

    expect(await ask(position)).toEqual({ times: [position + 1], isEnd: false });
    isGoingOn = false;
    await goOn;
    expect(readFrom().indexOf(position)).toBeLessThanOrEqual(readsBefore);
  });

  it("shares nothing between projects and data sets", async () => {
    const { ranges, signal, project, readShared } = setUp();

    await Promise.all([
      readShared(project, at(0), signal),
      readShared(project, { ...at(0), epoch: "other" }, signal),
      readShared(newProject(), at(0), signal),
    ]);

    expect(ranges).toHaveLength(3);
  });

  it.each<[ErrorReason, boolean]>([
    ["STORAGE_UNAVAILABLE", true],
    ["OVERLOADED", true],
    ["CURSOR_EXPIRED", false],
    ["INTERNAL", false],
  ])("fails with %s those at the position that was read, and others too: %s", async (reason, areOthers) => {
    const { ask, hold, letGo, readFrom } = setUp();
    hold();
    const told = [ask(0), ask(0)].map((one) => expect(one).rejects.toMatchObject({ reason }));
    const other = ask(5).catch((error: SluiceError) => error.reason);
    await nextTurn();
    letGo(new SluiceError(reason, "a fault"));
    await Promise.all(told);
    letGo();

    expect(await other).toEqual(areOthers ? reason : { times: [6, 7, 8], isEnd: false });
    expect(await ask(0)).toEqual({ times: [1, 2, 3], isEnd: false });
    expect(readFrom()).toEqual(areOthers ? [0, 0] : [0, 5, 0]);
  });

  it("lets nobody wait for long", async () => {
    const { ask, hold, letGo, readFrom } = setUp();
    const now = vi.spyOn(performance, "now").mockReturnValue(0);
    hold();
    const first = ask(0);
    const late = expect(ask(5)).rejects.toMatchObject({ reason: "OVERLOADED" });
    now.mockReturnValue(1);
    const other = ask(6);
    await nextTurn();
    now.mockReturnValue(1000);
    letGo();

    expect(await first).toEqual({ times: [1, 2, 3], isEnd: false });
    await late;
    expect(await other).toEqual({ times: [7, 8, 9], isEnd: false });
    expect(readFrom()).toEqual([0, 6]);
  });

  it("lets those go at once who no longer ask, for their own reasons", async () => {
    const { project, readShared, ask, hold, letGo, readFrom } = setUp();
    const leaving = [new AbortController(), new AbortController()];
    hold();
    const asked = leaving.map(({ signal }, i) => readShared(project, at(5 * i), signal));
    await nextTurn();
    leaving[0]?.abort();
    leaving[1]?.abort(new SluiceError("SHUTTING_DOWN", "enough"));

    await expect(asked[0]).rejects.toMatchObject({ reason: "CALL_ENDED" });
    await expect(asked[1]).rejects.toMatchObject({ reason: "SHUTTING_DOWN" });
    await expect(readShared(project, at(0), AbortSignal.abort())).rejects.toMatchObject({ reason: "CALL_ENDED" });
    letGo();
    expect(await ask(2)).toEqual({ times: [3], isEnd: false });
    expect(readFrom()).toEqual([0]);
  });
});
