import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RateLimit } from "../../src/domain/quota.ts";
import type { ChunkReply } from "../../src/redis/append-events.ts";
import { createChunkAppender } from "../support/chunk-appender.ts";
import { useRedis } from "../support/use-redis.ts";

const redis = useRedis();

const hourMs = 3_600_000;

function setUp(...rateLimits: RateLimit[]) {
  const connection = redis.connect();
  const appender = createChunkAppender(connection, { rateLimits });
  const { keys, append } = appender;
  let idCount = 0;
  return {
    connection,
    ...appender,
    /** Offers new events, of limits other than these if there are any given. */
    offer: (count: number, others = rateLimits) =>
      append(
        Array.from({ length: count }, () => `${++idCount}`),
        { settings: { rateLimits: others } },
      ),
    readBuckets: () => connection.hgetall(keys.quotas),
    /** Sets the clock: all that the script has written down is then so much older or, for a negative time, younger. */
    async setClock(byMs: number): Promise<void> {
      const { ahead_us: _, ...times } = await connection.hgetall(keys.quotas);
      for (const [field, us] of Object.entries(times)) {
        await connection.hset(keys.quotas, field, `${BigInt(us) - BigInt(Math.round(byMs)) * 1000n}`);
      }
    },
  };
}

const addedCount = ({ outcomes }: ChunkReply) => outcomes.filter(({ kind }) => kind === "added").length;

describe("rate limits", () => {
  it("let as many through at once as the bucket holds, and throttle the rest", async () => {
    const { offer } = setUp({ events: 3, perMs: hourMs });

    const { outcomes, quotas } = await offer(5);

    expect(outcomes.map(({ kind }) => kind)).toEqual(["added", "added", "added", "throttled", "throttled"]);
    expect(quotas).toEqual([{ limit: { events: 3, perMs: hourMs }, remaining: 0, resetAfterMs: hourMs }]);
  });

  it("charge nothing for what is known, refused or throttled", async () => {
    const { append, offer, readBuckets } = setUp({ events: 5, perMs: hourMs });
    await append(["a", "a", "b", "a"]);
    expect((await append(["a", "b"])).quotas).toMatchObject([{ remaining: 3 }]);
    await offer(3);
    const empty = await readBuckets();

    await offer(500);
    await append(["a", "x", "y"], { isAtomic: true });
    await append([]);

    expect(await readBuckets()).toEqual(empty);
  });

  it("take a token of every bucket, or of none", async () => {
    const { offer, readBuckets } = setUp({ events: 10, perMs: 1000 }, { events: 4, perMs: hourMs });

    expect(addedCount(await offer(3))).toBe(3);
    const { outcomes, quotas } = await offer(3);

    expect(outcomes.map(({ kind }) => kind)).toEqual(["added", "throttled", "throttled"]);
    expect(quotas[1]?.remaining).toBe(0);
    const before = await readBuckets();
    expect(addedCount(await offer(1))).toBe(0);
    expect(await readBuckets()).toEqual(before);
  });

  it("tell what is left without taking anything", async () => {
    const { append, offer, readBuckets } = setUp({ events: 4, perMs: hourMs });
    expect((await append([])).quotas).toMatchObject([{ remaining: 4, resetAfterMs: 0 }]);
    expect(await readBuckets()).toEqual({});
    await offer(1);
    const before = await readBuckets();

    const [quota] = (await append([])).quotas;

    expect(quota?.remaining).toBe(3);
    expect(quota?.resetAfterMs).toBeGreaterThan(hourMs / 4 - 5000);
    expect(quota?.resetAfterMs).toBeLessThanOrEqual(hourMs / 4);
    expect(await readBuckets()).toEqual(before);
  });

  it("keep a bucket as full as it was when its limit changes", async () => {
    const { offer } = setUp({ events: 10, perMs: hourMs });
    await offer(5);

    const { quotas } = await offer(0, [{ events: 1000, perMs: hourMs }]);
    const { outcomes } = await offer(6, [{ events: 2, perMs: hourMs }]);

    expect(quotas[0]?.remaining).toBeGreaterThanOrEqual(500);
    expect(quotas[0]?.remaining).toBeLessThan(505);
    expect(outcomes.filter(({ kind }) => kind === "added")).toHaveLength(1);
  });

  it("name the delay after which there are so many tokens", async () => {
    const { offer, setClock } = setUp({ events: 7, perMs: 59_000 }, { events: 40, perMs: hourMs });
    await offer(7);

    for (const count of [1, 3, 7]) {
      const { delayMsUntil } = await offer(9);
      expect(delayMsUntil(count)).toBeGreaterThan(delayMsUntil(count - 1));
      expect(delayMsUntil(9)).toBe(delayMsUntil(7));

      await setClock(delayMsUntil(count));

      expect(addedCount(await offer(count))).toBe(count);
    }
  });

  it.each([
    ["back", [-1], 10],
    ["back and forward again, many times", Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? -1 : 1)), 10],
    ["forward", [1], 20],
    ["forward and back again, many times", Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? 1 : -1)), 20],
    ["forward by far", [24 * 365], 20],
  ])("mint no more than one bucket when the clock is set %s", async (_, jumps, most) => {
    const { offer, setClock } = setUp({ events: 10, perMs: hourMs });
    let count = addedCount(await offer(20));

    for (const hours of jumps) {
      await setClock(hours * hourMs);
      count += addedCount(await offer(20));
    }

    expect(count).toBe(most);
  });

  it.each([50_000, hourMs, 365 * 24 * hourMs])("mint nothing while the clock swings by %i ms", async (swingMs) => {
    const { offer, setClock } = setUp({ events: 5, perMs: 50_000 });
    let count = addedCount(await offer(10));

    for (let i = 0; i < 10; i++) {
      await setClock(i % 2 === 0 ? -swingMs : swingMs);
      count += addedCount(await offer(10));
    }

    expect(count).toBe(5);
  });

  const year = 365 * 24;

  it.each([
    ["an hour, for those who wait less than that", 1, 0.5, 5],
    ["an hour, but for what it was ahead, for those who wait longer", 1, 1.5, 5],
    ["an hour, for those who wait much longer", 1, 24, 10],
    ["a year, for those who wait", year, 0.7, 7],
    ["a year, for those who wait a year", year, year - 1, 10],
  ])("go on refilling after the clock was corrected back by %s", async (_, backHours, waitHours, count) => {
    const { offer, setClock } = setUp({ events: 10, perMs: hourMs });
    await offer(10);
    await setClock(-backHours * hourMs);
    expect(addedCount(await offer(10))).toBe(0);

    await setClock(waitHours * hourMs);

    expect(addedCount(await offer(20))).toBe(count);
    await setClock(hourMs / 2);
    expect(addedCount(await offer(10))).toBe(5);
  });

  it.each([
    [1, 30_000],
    [year, 30_000],
    [year, 70_000],
    [year, 300_000],
  ])("go on refilling, set back by %i h, for those who ask every %i ms and are refused", async (hours, everyMs) => {
    const { offer, setClock } = setUp({ events: 10, perMs: hourMs });
    await offer(10);
    await setClock(-hours * hourMs);

    let count = 0;
    for (let i = 0; i < 25; i++) {
      count += addedCount(await offer(1));
      await setClock(everyMs);
    }

    expect(count).toBe(Math.floor((24 * everyMs * 10) / hourMs));
  });

  const anyMinutes = (max: number) => fc.integer({ min: 0, max });

  it("mint no more than the clock goes beyond where it was, however far it is set back before", async () => {
    const swing = fc.record({ back: fc.array(anyMinutes(180), { maxLength: 3 }), beyond: anyMinutes(30) });
    await fc.assert(
      fc.asyncProperty(fc.array(swing, { maxLength: 8 }), fc.integer({ min: 1, max: 400 }), async (swings, events) => {
        const { offer, setClock, connection } = setUp({ events, perMs: hourMs });
        let count = addedCount(await offer(500));
        let minutes = 0;
        for (const { back, beyond } of swings) {
          for (const step of back) {
            await setClock(-step * 60_000);
            count += addedCount(await offer(500));
          }
          await setClock((back.reduce((sum, step) => sum + step, 0) + beyond) * 60_000);
          count += addedCount(await offer(500));
          minutes += beyond;
        }
        connection.disconnect();
        // One more for the time that the test takes.
        expect(count).toBeLessThanOrEqual(events + Math.ceil((events * minutes) / 60) + 1);
      }),
      { numRuns: 60 },
    );
  });

  it("lose no more refill than the clock was set back by, once, however long anyone waits", async () => {
    const waits = fc.array(anyMinutes(60), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(anyMinutes(10_000), waits, fc.integer({ min: 1, max: 400 }), async (back, steps, events) => {
        const { offer, setClock, connection } = setUp({ events, perMs: hourMs });
        await offer(500);
        await setClock(-back * 60_000);
        let count = addedCount(await offer(500));
        for (const step of steps) {
          await setClock(step * 60_000);
          count += addedCount(await offer(500));
        }
        connection.disconnect();
        const minutes = steps.reduce((sum, step) => sum + step, 0);
        expect(count).toBeGreaterThanOrEqual(Math.floor((events * (minutes - back)) / 60) - 1);
        expect(count).toBeLessThanOrEqual(Math.ceil((events * minutes) / 60) + 1);
      }),
      { numRuns: 60 },
    );
  });

  const anyLimits = fc.uniqueArray(
    fc.record({
      events: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 1_000_000 })),
      perMs: fc.oneof(fc.integer({ min: 1000, max: 60_000 }), fc.integer({ min: 1000, max: 31 * 24 * hourMs })),
    }),
    { selector: ({ perMs }) => perMs, minLength: 1, maxLength: 3 },
  );
  /** Waits, in parts of the shortest period, and offers. */
  const anyStep = fc.record({
    wait: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1.2, noNaN: true })),
    count: fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 500 })),
  });

  it("agree with exact buckets, to the token and the microsecond", async () => {
    await fc.assert(
      fc.asyncProperty(anyLimits, fc.array(anyStep, { minLength: 1, maxLength: 15 }), async (limits, steps) => {
        const { offer, setClock, readBuckets, connection } = setUp(...limits);
        const shortestMs = Math.min(...limits.map(({ perMs }) => perMs));
        const model = new ExactBuckets(limits);
        for (const { wait, count } of steps) {
          const waitMs = Math.round(wait * shortestMs);
          await setClock(waitMs);
          model.wait(BigInt(waitMs) * 1000n);
          const before = await readBuckets();
          const earliestUs = BigInt(Date.now()) * 1000n;

          const reply = await offer(count);

          const after = await readBuckets();
          if (addedCount(reply) === 0) {
            expect(model.addable(earliestUs, count)).toBe(0);
            expect(after).toEqual(before);
          } else {
            const nowUs = BigInt(after.clock_us ?? 0);
            expect(addedCount(reply)).toBe(model.addable(nowUs, count));
            model.take(nowUs, addedCount(reply));
            expect(reply.quotas).toEqual(model.quotas(nowUs));
            for (const { perMs } of limits) expect(after[`${perMs * 1000}`]).toMatch(/^\d+$/);
          }
        }
        connection.disconnect();
        model.expectFewEnough();
      }),
      { numRuns: 100 },
    );
  });
});

/** Token buckets in whole microseconds of refill, without any rounding but the one that is meant. */
class ExactBuckets {
  readonly #limits: readonly RateLimit[];
  /** When each is full. */
  readonly #fullUs: bigint[];
  readonly #taken: { atUs: bigint; count: number }[] = [];

  constructor(limits: readonly RateLimit[]) {
    this.#limits = limits;
    this.#fullUs = limits.map(() => 0n);
  }

  wait(us: bigint): void {
    for (const i of this.#fullUs.keys()) this.#fullUs[i] = (this.#fullUs[i] ?? 0n) - us;
    for (const taken of this.#taken) taken.atUs -= us;
  }

  #remaining(nowUs: bigint): number[] {
    return this.#limits.map(({ events, perMs }, i) => {
      const periodUs = BigInt(perMs) * 1000n;
      const leftUs = periodUs - this.#refillUs(nowUs, i);
      return leftUs < 0n ? 0 : Number((leftUs * BigInt(events)) / periodUs);
    });
  }

  #refillUs(nowUs: bigint, i: number): bigint {
    const refillUs = (this.#fullUs[i] ?? 0n) - nowUs;
    return refillUs > 0n ? refillUs : 0n;
  }

  addable(nowUs: bigint, count: number): number {
    return Math.min(count, ...this.#remaining(nowUs));
  }

  take(nowUs: bigint, count: number): void {
    for (const [i, { events, perMs }] of this.#limits.entries()) {
      const costUs = (BigInt(count) * BigInt(perMs) * 1000n + BigInt(events) - 1n) / BigInt(events);
      this.#fullUs[i] = nowUs + this.#refillUs(nowUs, i) + costUs;
    }
    this.#taken.push({ atUs: nowUs, count });
  }

  quotas(nowUs: bigint) {
    const remaining = this.#remaining(nowUs);
    return this.#limits.map((limit, i) => ({
      limit,
      remaining: remaining[i],
      resetAfterMs: Number((this.#refillUs(nowUs, i) + 999n) / 1000n),
    }));
  }

  /** No window of a period saw more than twice what the bucket holds. */
  expectFewEnough(): void {
    for (const { events, perMs } of this.#limits) {
      for (const { atUs: fromUs } of this.#taken) {
        const within = this.#taken.filter(({ atUs }) => atUs >= fromUs && atUs < fromUs + BigInt(perMs) * 1000n);
        expect(within.reduce((sum, { count }) => sum + count, 0)).toBeLessThanOrEqual(2 * events);
      }
    }
  }
}
