import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Position } from "../../src/domain/cursor.ts";
import { isBefore } from "../../src/domain/cursor.ts";
import { SluiceError } from "../../src/domain/errors.ts";
import type { EventLog, ReadSlice, StoredEvent } from "../../src/domain/ports.ts";
import { createFollowedProject, type FollowedProject } from "../../src/redis/followed-project.ts";
import { newProject } from "../support/events.ts";

const epoch = "followed-epoch";
const at = (ms: number): Position => ({ epoch, ms, seq: 0 });

function eventAt(ms: number): StoredEvent {
  const bytes = new Uint8Array(10);
  return { position: at(ms), bytes, entrance: "grpc", assignedId: undefined, isTimeAbsent: false, isTest: false };
}

/** A project of which two events are read at a time, each read when it is let go. */
function follow(start: Position) {
  const stored: StoredEvent[] = [];
  const listened: Position[] = [];
  const held: (() => void)[] = [];
  let isHeld = false;
  let failure: SluiceError | undefined;
  const read: EventLog["read"] = async (_, { after, countMax }) => {
    if (failure !== undefined) throw failure;
    const behind = stored.filter(({ position }) => after === undefined || isBefore(after, position));
    const events = behind.slice(0, Math.min(countMax, 2));
    if (isHeld) await new Promise<void>((resolve) => held.push(resolve));
    return { events, scannedCount: events.length, isEnd: behind.length < 2 };
  };
  const onOver = vi.fn(() => followed.end());
  const followed: FollowedProject = createFollowedProject({
    project: newProject(),
    start,
    read,
    recentBytesMax: 1 << 20,
    lookEveryMs: 1000,
    listen: (after) => listened.push(after),
    onOver,
  });
  return {
    followed,
    stored,
    listened,
    onOver,
    hold() {
      isHeld = true;
    },
    letGo() {
      isHeld = false;
      for (const resolve of held.splice(0)) resolve();
    },
    fail(error: SluiceError | undefined) {
      failure = error;
    },
    wait: (after: Position, waitMs = 1e6) => followed.wait(after, { waitMs, signal: new AbortController().signal }),
  };
}

/** Lets a read that has handed its slice out come to its end. */
const settle = () => vi.advanceTimersByTimeAsync(0);

const timesOf = (slice: ReadSlice | undefined) => slice?.events.map(({ position }) => position.ms);

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

describe("createFollowedProject", () => {
  it("reads nothing when it rings while nobody waits, and reads on when somebody does", async () => {
    const { followed, stored, listened, wait } = follow(at(0));
    stored.push(eventAt(1));
    await followed.ring();
    expect(followed.reaches(at(0))).toBe(true);
    expect(listened).toEqual([]);

    expect(timesOf(await wait(at(0)))).toEqual([1]);
    await settle();
    expect(listened).toEqual([at(1)]);
  });

  it("gives what is known to be there to a tail that would not wait for it", async () => {
    const { followed, stored, hold, letGo, wait } = follow(at(0));
    stored.push(eventAt(1));
    await followed.ring();
    hold();
    const [first, ahead] = [wait(at(0), 0), wait(at(1), 0)];
    await vi.advanceTimersByTimeAsync(10);

    letGo();

    expect(timesOf(await first)).toEqual([1]);
    await vi.advanceTimersByTimeAsync(10);
    expect(timesOf(await ahead)).toEqual([]);
  });

  it("reads on for those who wait further ahead, and listens again at the end only", async () => {
    const { followed, stored, listened, wait } = follow(at(0));
    const ahead = wait(at(4));
    stored.push(...[1, 2, 3, 4, 5].map(eventAt));

    await followed.ring();

    expect(timesOf(await ahead)).toEqual([5]);
    await settle();
    expect(listened).toEqual([at(5)]);
    expect(timesOf(await wait(at(2)))).toEqual([3, 4, 5]);
  });

  it("passes over nothing for a tail that joins further back during a read", async () => {
    const { followed, stored, hold, letGo, wait } = follow(at(10));
    const ahead = wait(at(10));
    stored.push(eventAt(11));
    hold();
    const rung = followed.ring();
    const back = wait(at(1));
    stored.unshift(eventAt(2));

    letGo();
    await rung;

    expect(timesOf(await back)).toEqual([2, 11]);
    expect(timesOf(await ahead)).toEqual([11]);
  });

  it("gives what it has read twice only once", async () => {
    const { followed, stored, wait } = follow(at(10));
    stored.push(...[11, 12, 13, 14, 15].map(eventAt));
    const ahead = wait(at(14));
    await followed.ring();
    expect(timesOf(await ahead)).toEqual([15]);
    await settle();
    stored.unshift(eventAt(2));
    const back = wait(at(1));
    await followed.ring();
    expect(timesOf(await back)).toEqual([2, 11]);

    expect(timesOf(await wait(at(10)))).toEqual([11]);
    expect(timesOf(await wait(at(11)))).toEqual([12, 13]);
  });

  it("wakes those who have just been woken, when they are many, for more at a time; others at once", async () => {
    for (const [tailCount, restMs] of [
      [1000, 50],
      [3000, 100],
      [19, 0],
    ] as const) {
      const { followed, stored, wait } = follow(at(0));
      const waitAll = (after: Position) => Promise.all(Array.from({ length: tailCount }, () => wait(after)));
      const waits = waitAll(at(0));
      stored.push(eventAt(1));
      await followed.ring();
      for (const slice of await waits) expect(timesOf(slice)).toEqual([1]);
      await settle();
      let isWoken = false;
      const again = waitAll(at(1)).then((slices) => {
        isWoken = true;
        return slices;
      });

      stored.push(eventAt(2));
      await followed.ring();
      await vi.advanceTimersByTimeAsync(Math.max(0, restMs - 1));
      expect(isWoken).toBe(restMs === 0);
      await vi.advanceTimersByTimeAsync(1);
      for (const slice of await again) expect(timesOf(slice)).toEqual([2]);
      followed.end();
    }
  });

  it("hands what it reads to so many at a time as the event loop can bear, and to each once", async () => {
    const { followed, stored, wait } = follow(at(0));
    let wokenCount = 0;
    const waits = Array.from({ length: 1000 }, async () => {
      const slice = await wait(at(0));
      wokenCount++;
      return slice;
    });
    stored.push(eventAt(1));
    const rung = followed.ring();
    const counts = new Set<number>();
    while (wokenCount < waits.length) {
      counts.add(wokenCount);
      await nextTurn();
    }
    await rung;

    expect(counts.size).toBeGreaterThan(2);
    for (const slice of await Promise.all(waits)) expect(timesOf(slice)).toEqual([1]);
    followed.end();
  });

  it("listens from further back for a tail that joins there", async () => {
    const { followed, listened, wait } = follow(at(10));
    void wait(at(10));
    void wait(at(1));

    expect(listened).toEqual([at(1)]);
    followed.end();
  });

  it("lets those who wait go on waiting while storage is away", async () => {
    const { followed, stored, listened, onOver, fail, wait } = follow(at(0));
    const waiting = wait(at(0));
    stored.push(eventAt(1));
    fail(new SluiceError("STORAGE_UNAVAILABLE", "away"));
    const rung = followed.ring();
    await vi.advanceTimersByTimeAsync(1000);
    await rung;
    expect(listened).toEqual([at(0)]);
    expect(onOver).not.toHaveBeenCalled();

    fail(undefined);
    await followed.ring();

    expect(timesOf(await waiting)).toEqual([1]);
  });

  it("sends those who wait to find out for themselves when it cannot be read", async () => {
    const { followed, listened, onOver, fail, wait } = follow(at(0));
    const waiting = wait(at(0));
    fail(new SluiceError("CURSOR_EXPIRED", "gone"));

    await followed.ring();

    expect(await waiting).toBeUndefined();
    expect(onOver).toHaveBeenCalledOnce();
    expect(listened).toEqual([]);
  });

  it("looks after its data set only when that was not done of late, and somebody waits", async () => {
    const { followed, onOver, fail, wait } = follow(at(0));
    fail(new SluiceError("CURSOR_EXPIRED", "gone"));
    vi.advanceTimersByTime(2000);
    followed.look();
    const waiting = wait(at(0));
    await vi.advanceTimersByTimeAsync(0);
    expect(onOver).not.toHaveBeenCalled();

    followed.look();

    expect(await waiting).toBeUndefined();
  });

  it("is over when nobody has waited for 10 s", async () => {
    const { followed, onOver, wait } = follow(at(0));
    await Promise.all([wait(at(0), 0), vi.advanceTimersByTimeAsync(0)]);
    await vi.advanceTimersByTimeAsync(9_999);
    void wait(at(0), 60_000);
    await vi.advanceTimersByTimeAsync(59_999);
    expect(onOver).not.toHaveBeenCalled();

    await vi.advanceTimersByTimeAsync(10_001);

    expect(onOver).toHaveBeenCalledOnce();
    expect(vi.getTimerCount()).toBe(0);
    followed.end();
  });
});
