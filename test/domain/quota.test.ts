import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RateLimit } from "../../src/domain/quota.ts";
import { delayUntil, tightestOf, toQuota } from "../../src/domain/quota.ts";

const dayMs = 24 * 60 * 60 * 1000;
const perMinute: RateLimit = { events: 30, perMs: 60_000 };
const perDay: RateLimit = { events: 15_000, perMs: dayMs };

const arbitraryLimit: fc.Arbitrary<RateLimit> = fc.record({
  events: fc.integer({ min: 1, max: 90_000_000 }),
  perMs: fc.integer({ min: 1, max: 366 * dayMs }),
});
/** A limit, and how much of its bucket is missing, from nothing to all. */
const arbitraryBucket = arbitraryLimit.chain((limit) =>
  fc.record({ limit: fc.constant(limit), refillUs: fc.integer({ min: 0, max: limit.perMs * 1000 }) }),
);

describe("toQuota", () => {
  it.each([
    ["a full bucket", perMinute, 0, 30, 0],
    ["one whose last token has just been taken", perMinute, 60_000_000, 0, 60_000],
    ["one with one token", perMinute, 58_000_000, 1, 58_000],
    ["one that lacks a microsecond of it", perMinute, 58_000_001, 0, 58_001],
    ["one with a third of its tokens", { events: 3, perMs: 10_000 }, 6_666_666, 1, 6667],
    ["one whose limit was lowered since", { events: 1, perMs: 1000 }, 5_000_000, 0, 5000],
    ["one of more tokens than microseconds", { events: 5000, perMs: 1 }, 500, 2500, 1],
  ])("says what is left of %s", (_, limit, refillUs, remaining, resetAfterMs) => {
    expect(toQuota(limit, refillUs)).toEqual({ limit, remaining, resetAfterMs });
  });

  it("stays within the bucket, is full exactly when nothing is missing, and counts whole tokens down", () => {
    fc.assert(
      fc.property(arbitraryBucket, ({ limit, refillUs }) => {
        const { remaining, resetAfterMs } = toQuota(limit, refillUs);

        expect(remaining).toBeGreaterThanOrEqual(0);
        expect(remaining).toBeLessThanOrEqual(limit.events);
        expect(Number.isInteger(remaining) && Number.isInteger(resetAfterMs)).toBe(true);
        expect(resetAfterMs === 0).toBe(refillUs === 0);
        expect(toQuota(limit, refillUs + 1).remaining).toBeLessThanOrEqual(remaining);
        expect(toQuota(limit, 0).remaining).toBe(limit.events);
      }),
    );
  });

  it("is exact where numbers are", () => {
    const bucket = fc
      .record({ events: fc.integer({ min: 1, max: 100_000 }), perMs: fc.integer({ min: 1, max: 60_000 }) })
      .chain((limit) => fc.tuple(fc.constant(limit), fc.integer({ min: 0, max: limit.perMs * 1000 })));
    fc.assert(
      fc.property(bucket, ([limit, refillUs]) => {
        const left = BigInt(limit.perMs * 1000 - refillUs);
        const exact = (left * BigInt(limit.events)) / BigInt(limit.perMs * 1000);

        expect(toQuota(limit, refillUs).remaining).toBe(Number(exact));
      }),
      { numRuns: 1000 },
    );
  });
});

describe("delayUntil", () => {
  it.each([
    ["no limit", [], [], 5, 0],
    ["tokens that are there", [perMinute], [0], 30, 0],
    ["the next token of an empty bucket", [perMinute], [60_000_000], 1, 2000],
    ["more tokens than the bucket holds: until it is full", [perMinute], [60_000_000], 500, 60_000],
    ["the slower of two buckets", [perMinute, perDay], [60_000_000, dayMs * 1000], 1, 5760],
    ["a bucket of which nothing is known", [perMinute], [], 1, 0],
  ])("tells how long to wait for %s", (_, limits, refills, tokens, delayMs) => {
    expect(delayUntil(limits, refills, tokens)).toBe(delayMs);
  });

  it("is never negative, and once it is over the tokens are there in every bucket, and not a millisecond earlier", () => {
    fc.assert(
      fc.property(fc.array(arbitraryBucket, { maxLength: 4 }), fc.integer({ min: 1, max: 500 }), (buckets, tokens) => {
        const limits = buckets.map(({ limit }) => limit);
        const delayMs = delayUntil(
          limits,
          buckets.map(({ refillUs }) => refillUs),
          tokens,
        );
        const hasTokensAfter = (waitedMs: number) =>
          buckets.every(({ limit, refillUs }) => {
            const { remaining } = toQuota(limit, Math.max(0, refillUs - waitedMs * 1000));
            return remaining >= Math.min(tokens, limit.events);
          });

        expect(delayMs).toBeGreaterThanOrEqual(0);
        expect(hasTokensAfter(delayMs)).toBe(true);
        if (delayMs > 0) expect(hasTokensAfter(delayMs - 1)).toBe(false);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("tightestOf", () => {
  const quota = (remaining: number, resetAfterMs: number) => ({ limit: perMinute, remaining, resetAfterMs });
  it.each([
    ["undefined without any", [], undefined],
    ["the one with the fewest tokens", [quota(5, 1), quota(2, 1), quota(3, 9)], 1],
    ["of equals the one that takes longest to fill", [quota(2, 1), quota(2, 9), quota(2, 3)], 1],
    ["of the very same the first", [quota(2, 1), quota(2, 1)], 0],
  ])("is %s", (_, quotas, index) => {
    expect(tightestOf(quotas)).toBe(index === undefined ? undefined : quotas[index]);
  });
});
