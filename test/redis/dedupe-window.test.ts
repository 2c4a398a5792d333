import fc from "fast-check";
import type { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import type { ProjectKeys } from "../../src/redis/keys.ts";
import { createChunkAppender, eventWithoutId } from "../support/chunk-appender.ts";
import { useRedis } from "../support/use-redis.ts";

const redis = useRedis();

/** Long enough that the time a test takes is none. */
const hourMs = 3_600_000;

function setUp(dedupeWindowMs = hourMs) {
  const connection = redis.connect();
  const appender = createChunkAppender(connection, { dedupeWindowMs });
  const { keys, appendKinds } = appender;
  return {
    connection,
    ...appender,
    append: (ids: string[], windowMs = dedupeWindowMs) => appendKinds(ids, { settings: { dedupeWindowMs: windowMs } }),
    advance: (ms: number) => shiftMemory(connection, keys, ms),
    generation: async () => Number(await connection.hget(keys.meta, "generation")),
  };
}

/** Makes all that is remembered older by so much, which for the script is the same as time that has passed. */
async function shiftMemory(connection: Redis, keys: ProjectKeys, by: number): Promise<void> {
  const ms = Math.round(by);
  const { began_ms, older } = await connection.hgetall(keys.meta);
  if (began_ms === undefined || older === undefined) return;
  const shifted = older.replaceAll(/:(\d+):/g, (_, untilMs) => `:${Math.max(0, Number(untilMs) - ms)}:`);
  await connection.hset(keys.meta, "began_ms", Number(began_ms) - ms, "older", shifted);
  for (const key of await connection.keysBuffer(`${keys.ids}:*`)) {
    await connection.pexpire(key, (await connection.pttl(key)) - ms);
  }
}

async function timesToLive(connection: Redis, keys: ProjectKeys): Promise<number[]> {
  return Promise.all((await connection.keysBuffer(`${keys.ids}:*`)).map((key) => connection.pttl(key)));
}

describe("dedupe window", () => {
  it.each([
    ["less than a window ago", 0.9, "known"],
    ["a window ago", 1.1, "known"],
    ["nearly two windows ago", 1.9, "known"],
    ["two windows ago", 2.1, "added"],
  ])("knows an id of a generation that began %s", async (_, windows, kind) => {
    const { append, advance } = setUp();
    await append(["a"]);
    await advance(windows * hourMs);

    expect(await append(["b", "a"])).toEqual(["added", kind]);
    expect(await append(["a"])).toEqual(["known"]);
  });

  it("knows an id for a window from when it was added, not from when its generation began", async () => {
    const { append, advance } = setUp();
    await append(["a"]);
    await advance(0.95 * hourMs);
    await append(["b"]);

    await advance(0.95 * hourMs);

    expect(await append(["b"])).toEqual(["known"]);
  });

  it("is not renewed by a duplicate", async () => {
    const { append, advance } = setUp();
    await append(["a"]);
    await advance(0.9 * hourMs);
    expect(await append(["a"])).toEqual(["known"]);

    await advance(1.2 * hourMs);

    expect(await append(["a"])).toEqual(["added"]);
  });

  it("takes a shorter window up with the next generation, and reads an id for as long as it was promised", async () => {
    const { append, advance, generation } = setUp();
    await append(["a"]);

    await advance(0.5 * hourMs);
    expect(await append(["a", "b"], hourMs / 10)).toEqual(["known", "added"]);
    await advance(0.45 * hourMs);
    expect(await append(["a", "b"], hourMs / 10)).toEqual(["known", "known"]);
    expect(await generation()).toBe(0);

    await advance(0.1 * hourMs);
    expect(await append(["c", "a", "b"], hourMs / 10)).toEqual(["added", "known", "known"]);
    await advance(0.25 * hourMs);
    expect(await append(["c", "a"], hourMs / 10)).toEqual(["added", "known"]);
  });

  it("begins a generation when the window is made longer, and loses nothing", async () => {
    const { append, advance, generation } = setUp();
    await append(["a"]);

    await append(["b"], 10 * hourMs);
    await advance(0.9 * hourMs);

    expect(await generation()).toBe(1);
    expect(await append(["a", "b"], 10 * hourMs)).toEqual(["known", "known"]);
    await advance(9 * hourMs);
    expect(await append(["a", "b"], 10 * hourMs)).toEqual(["added", "known"]);
  });

  it("begins one generation, not one for each call, while servers differ about the window", async () => {
    const { append, generation } = setUp();

    for (const id of "abcdefgh") await append([id], id > "d" === id > "b" ? hourMs : 2 * hourMs);

    expect(await generation()).toBe(1);
    expect(await append([..."abcdefgh"], hourMs)).toEqual(Array.from("abcdefgh", () => "known"));
  });

  it("looks at a few generations only while servers differ about the window for long", async () => {
    const { append, advance, connection, keys } = setUp();

    const olderCounts: number[] = [];
    for (let hour = 0; hour < 100; hour++) {
      for (const windowHours of [1, 10, 3]) {
        await append([`${hour}/${windowHours}`], windowHours * hourMs);
        await advance(hourMs / 3);
      }
      const older = await connection.hget(keys.meta, "older");
      olderCounts.push(older?.match(/\d+:\d+:/g)?.length ?? 0);
    }

    expect(Math.max(...olderCounts)).toBeLessThanOrEqual(4);
  });

  it("keeps a generation that begins in the same millisecond as the one before", async () => {
    const { append, generation } = setUp();
    await append(["a"]);

    await Promise.all(Array.from({ length: 50 }, (_, i) => append([`${i}`], (i + 2) * hourMs)));

    expect(await generation()).toBe(50);
  });

  it("goes on when the clock was set back, and ends a window from then", async () => {
    const { append, advance, connection, keys } = setUp();
    await append(["a"]);
    await advance(-10 * 365 * 24 * hourMs);

    expect(await append(["b", "a"])).toEqual(["added", "known"]);
    expect(Number(await connection.hget(keys.meta, "began_ms"))).toBeLessThanOrEqual(Date.now());
    await advance(1.9 * hourMs);
    expect(await append(["a"])).toEqual(["known"]);
    await advance(0.2 * hourMs);
    expect(await append(["a"])).toEqual(["added"]);
  });

  it("lets what it remembers expire, also of ids that the server assigned", async () => {
    const { appendKinds, connection, keys, advance, append } = setUp();
    await appendKinds(["a", eventWithoutId()]);
    await advance(0.9 * hourMs);
    await append(Array.from({ length: 100 }, (_, i) => `b${i}`));

    const ttls = await timesToLive(connection, keys);

    expect(ttls).toHaveLength(16);
    expect(Math.min(...ttls)).toBeGreaterThan(1.1 * hourMs);
    expect(Math.max(...ttls)).toBeLessThanOrEqual(2 * hourMs + 60_000);
  });

  const step = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant("append" as const),
        ids: fc.array(fc.constantFrom(..."abcdefgh"), { minLength: 1, maxLength: 4 }),
        windowHours: fc.constantFrom(1, 2, 7),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant("advance" as const),
        hours: fc.double({ min: 0, max: 3, noNaN: true }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("set back" as const),
        hours: fc.double({ min: 0, max: 20, noNaN: true }),
      }),
    },
  );

  it("knows every id for its window, and none for more than twice the longest, whatever the window becomes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const { append, advance, connection, keys } = setUp();
        const slack = 0.01;
        const added = new Map<string, { atHours: number; windowHours: number }>();
        let nowHours = 0;
        let longestHours = 0;
        let wasSetBack = false;
        for (const one of steps) {
          if (one.kind === "append") {
            longestHours = Math.max(longestHours, one.windowHours);
            const kinds = await append(one.ids, one.windowHours * hourMs);
            for (const [i, id] of one.ids.entries()) {
              const last = added.get(id);
              const age = nowHours - (last?.atHours ?? Number.NEGATIVE_INFINITY);
              if (last !== undefined && age < last.windowHours - slack) expect(kinds[i]).toBe("known");
              if (age > 2 * longestHours + slack && !wasSetBack) expect(kinds[i]).toBe("added");
              if (kinds[i] === "added") added.set(id, { atHours: nowHours, windowHours: one.windowHours });
            }
          } else if (one.kind === "advance") {
            nowHours += one.hours;
            await advance(one.hours * hourMs);
          } else {
            wasSetBack = true;
            await advance(-one.hours * hourMs);
          }
          for (const ttlMs of await timesToLive(connection, keys)) expect(ttlMs).toBeGreaterThan(0);
        }
        connection.disconnect();
      }),
      { numRuns: 150 },
    );
  });
});
