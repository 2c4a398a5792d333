import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ProjectKeys, projectKeys } from "../../../src/redis/keys.ts";
import { createTrimEvents } from "../../../src/redis/maintenance/trim-events.ts";
import { newProject } from "../../support/events.ts";
import { useRedis } from "../../support/use-redis.ts";

const nodeEvents = 10;
const server = useRedis({ args: ["--stream-node-max-entries", `${nodeEvents}`] });
const redis = server.connect();
const trimEvents = createTrimEvents(redis);

let keys: ProjectKeys = projectKeys("none");
beforeEach(() => {
  keys = projectKeys(newProject().name);
});
afterEach(() => redis.config("SET", "maxmemory", "0"));

/** Adds events at these ms, and of each ms at this seq. */
async function addEvents(fromMs: number, count: number, seq = 0): Promise<void> {
  const writes = redis.pipeline();
  for (let ms = fromMs; ms < fromMs + count; ms++) writes.xadd(keys.events, `${ms}-${seq}`, "x", "some bytes");
  await writes.exec();
}

/** As if it was this time, and events were kept for 1 s. */
function trimAt(nowMs: number) {
  return trimEvents(keys, nowMs, 1000);
}

async function readMeta(): Promise<Record<string, string>> {
  return redis.hgetall(keys.meta);
}

describe("trimEvents", () => {
  it("removes the whole nodes that are too old, and tells up to where there are no events", async () => {
    await addEvents(5000, 45);

    expect(await trimAt(6025)).toEqual({ count: 20, oldest: "5020-0", isMore: false });
    expect(await redis.xlen(keys.events)).toBe(25);
    expect(await readMeta()).toEqual({ trimmed: "5019-281474976710655" });
  });

  it("tells the place just in front of an oldest event that is not the first of its ms", async () => {
    await addEvents(5000, 20, 7);

    await trimAt(6015);

    expect(await readMeta()).toEqual({ trimmed: "5010-6" });
  });

  it("leaves everything as it is when nothing is too old", async () => {
    await addEvents(5000, 20);

    expect(await trimAt(5999)).toEqual({ count: 0, oldest: "5000-0", isMore: false });
    expect(await trimAt(6009)).toEqual({ count: 0, oldest: "5000-0", isMore: false });
    expect(await readMeta()).toEqual({});
    expect(await trimEvents(projectKeys("nothing"), 6000, 1000)).toEqual({
      count: 0,
      oldest: undefined,
      isMore: false,
    });
  });

  it("goes by Redis' clock when the server's is ahead of it", async () => {
    const [seconds] = await redis.time();
    const nowMs = Number(seconds) * 1000;
    await addEvents(nowMs - 500_000, 20);
    await addEvents(nowMs - 50_000, 20);

    expect(await trimEvents(keys, nowMs + 1e9, 100_000)).toMatchObject({ count: 20, isMore: false });
  });

  it("removes a bounded number, and says that there is more", async () => {
    await addEvents(5000, 2500);
    const counts: number[] = [];

    for (let isMore = true; isMore; ) {
      const trimmed = await trimAt(10_000);
      counts.push(trimmed.count);
      isMore = trimmed.isMore;
    }

    expect(counts).toEqual([1000, 1000, 500]);
  });

  it("removes few at a time when they are large", async () => {
    const writes = redis.pipeline();
    for (let ms = 5000; ms < 5100; ms++) writes.xadd(keys.events, `${ms}-0`, "x", Buffer.alloc(200_000));
    await writes.exec();

    expect(await trimAt(10_000)).toEqual({ count: 20, oldest: "5020-0", isMore: true });
  });

  it("removes nodes of any size", async () => {
    await redis.config("SET", "stream-node-max-entries", "500", "stream-node-max-bytes", "0");
    await addEvents(5000, 1200);
    await redis.config("SET", "stream-node-max-entries", `${nodeEvents}`, "stream-node-max-bytes", "4096");

    expect(await trimAt(7100)).toEqual({ count: 1000, oldest: "6000-0", isMore: true });
    expect(await trimAt(7100)).toEqual({ count: 0, oldest: "6000-0", isMore: false });
  });

  it("leaves the stream there when it has no events left, so that its ids go on", async () => {
    await addEvents(5000, 20);
    await redis.xadd(keys.events, "5019-3", "x", "y");
    await redis.xdel(keys.events, "5019-3");

    expect(await trimAt(10_000)).toEqual({ count: 20, oldest: undefined, isMore: false });
    expect(await readMeta()).toEqual({ trimmed: "5019-3" });
    await expect(redis.xadd(keys.events, "5019-3", "x", "y")).rejects.toThrow(/equal or smaller/);
  });

  describe("segments", () => {
    beforeEach(async () => {
      await addEvents(5000, 40);
      await redis.hset(keys.segments, { "5000-0": "n i", "5009-0": "n p1", "5020-0": "", "5030-0": "n i" });
      await redis.hset(keys.meta, { segment: "5030-0", segments_version: "7" });
    });

    it.each([
      [6010, ["5009-0", "5020-0", "5030-0"], ["5000-0:i", "5000-0:n"]],
      [6020, ["5020-0", "5030-0"], ["5000-0:i", "5000-0:n", "5009-0:n", "5009-0:p1"]],
      [6039, ["5030-0"], ["5000-0:i", "5000-0:n", "5009-0:n", "5009-0:p1"]],
      [9999, ["5030-0"], ["5000-0:i", "5000-0:n", "5009-0:n", "5009-0:p1"]],
    ])(
      "are taken off the list at %s when they have no events, but for the current one",
      async (nowMs, left, dropped) => {
        await trimAt(nowMs);

        expect((await redis.hkeys(keys.segments)).sort()).toEqual(left);
        expect((await redis.smembers(keys.droppedIndexes)).sort()).toEqual(dropped);
        expect(await redis.hget(keys.meta, "segments_version")).toBe("8");
      },
    );

    it("are all taken off when there are no events and none is current", async () => {
      await redis.hset(keys.meta, "segment", "");

      await trimAt(9999);

      expect(await redis.exists(keys.segments)).toBe(0);
      expect(await redis.scard(keys.droppedIndexes)).toBe(6);
    });

    it("stay while they have events", async () => {
      await redis.hdel(keys.segments, "5000-0", "5009-0");

      await trimAt(6010);

      expect((await redis.hkeys(keys.segments)).sort()).toEqual(["5020-0", "5030-0"]);
      expect(await redis.hget(keys.meta, "segments_version")).toBe("7");
    });

    it("go, and events with them, when Redis is full", async () => {
      await redis.config("SET", "maxmemory", "1");
      await expect(redis.set("any", "text")).rejects.toThrow(/^OOM/);

      expect(await trimAt(6039)).toMatchObject({ count: 30 });

      expect(await redis.hkeys(keys.segments)).toEqual(["5030-0"]);
      expect(await redis.scard(keys.droppedIndexes)).toBe(4);
      expect(await redis.hget(keys.meta, "trimmed")).toBe("5029-281474976710655");
    });

    it.each(["meta", "segments", "droppedIndexes"] as const)(
      "keep their events when %s cannot be written",
      async (key) => {
        await redis.set(keys[key], "of another type");

        await expect(trimAt(6039)).rejects.toThrow(/WRONGTYPE/);

        expect(await redis.xlen(keys.events)).toBe(40);
      },
    );
  });
});
