import { afterEach, describe, expect, it } from "vitest";
import { createTakeLease, wasLeaseLost } from "../../../src/redis/maintenance/lease.ts";
import { useRedis } from "../../support/use-redis.ts";

const redis = useRedis().connect();
const leaseMs = 30_000;
const takeLease = createTakeLease(redis, leaseMs);
const key = "a-lease";
afterEach(() => redis.config("SET", "maxmemory", "0"));

async function take() {
  const lease = await takeLease(key);
  if (lease === undefined) throw new Error("somebody has the lease");
  return lease;
}

async function isLost(work: Promise<void>): Promise<boolean> {
  return work.then(() => false, wasLeaseLost);
}

describe("takeLease", () => {
  it("gives it to one at a time, under another token each time", async () => {
    const first = await take();
    expect(await takeLease(key)).toBeUndefined();
    await first.release();

    const second = await take();

    expect(second.token).not.toBe(first.token);
    expect(await isLost(first.renew())).toBe(true);
    expect(await isLost(second.renew())).toBe(false);
  });

  it("gives one that ends by itself, unless it is renewed", async () => {
    const lease = await take();
    await redis.pexpire(key, 5000);

    await lease.renew();

    expect(await redis.pttl(key)).toBeGreaterThan(5000);
    expect(await redis.pttl(key)).toBeLessThanOrEqual(leaseMs);
  });

  it("lets nobody give back what is another's by then", async () => {
    const lost = await take();
    await redis.del(key);
    const lease = await take();

    await lost.release();

    expect(await redis.get(key)).toBe(lease.token);
  });

  it("works when Redis is full", async () => {
    await redis.config("SET", "maxmemory", "1");

    const lease = await take();
    await lease.renew();
    await lease.release();

    expect(await redis.exists(key)).toBe(0);
  });
});
