/**
 * A token bucket, as it is configured. Full it holds `events` tokens, and an empty one fills up evenly in `perMs`; so no
 * window of that length lets more than twice `events` through.
 */
export interface RateLimit {
  /** From 1 on. */
  readonly events: number;
  readonly perMs: number;
}

/** What a bucket has left. */
export interface Quota {
  readonly limit: RateLimit;
  /** Whole tokens. */
  readonly remaining: number;
  /** How long until the bucket is full, if nothing is taken meanwhile. */
  readonly resetAfterMs: number;
}

/**
 * What is left of a bucket whose missing tokens take `refillUs` to come back: that one number, in whole microseconds, is
 * all that storage keeps of it.
 */
export function toQuota(limit: RateLimit, refillUs: number): Quota {
  const periodUs = limit.perMs * 1000;
  const leftUs = Math.max(0, periodUs - refillUs);
  let remaining = Math.min(limit.events, Math.ceil((leftUs / periodUs) * limit.events) + 1);
  // The quotient is a little off: what a token costs decides.
  while (remaining > 0 && costUs(limit, remaining) > leftUs) remaining--;
  return { limit, remaining, resetAfterMs: Math.ceil(refillUs / 1000) };
}

/** What so many tokens cost, in µs of refill: rounded up, as storage does it, so that both agree to the token. */
function costUs({ events, perMs }: RateLimit, tokens: number): number {
  // Whole microseconds apart from the rest: a million tokens times the microseconds of a month is no exact number.
  const restUs = (perMs * 1000) % events;
  return tokens * ((perMs * 1000 - restUs) / events) + Math.ceil((tokens * restUs) / events);
}

/** How long until buckets with these refill times have this many tokens, or are full if they hold fewer. */
export function delayUntil(limits: readonly RateLimit[], refillUs: readonly number[], tokens: number): number {
  const delays = limits.map((limit, i) => {
    const neededUs = costUs(limit, Math.min(tokens, limit.events));
    return Math.max(0, (refillUs[i] ?? 0) + neededUs - limit.perMs * 1000);
  });
  return Math.ceil(Math.max(0, ...delays) / 1000);
}

/** The bucket with the fewest tokens left; of equals, the one that takes longest to fill. Undefined without any. */
export function tightestOf(quotas: readonly Quota[]): Quota | undefined {
  return quotas.reduce<Quota | undefined>((tightest, quota) => {
    if (tightest === undefined || quota.remaining < tightest.remaining) return quota;
    const isSlower = quota.remaining === tightest.remaining && quota.resetAfterMs > tightest.resetAfterMs;
    return isSlower ? quota : tightest;
  }, undefined);
}
