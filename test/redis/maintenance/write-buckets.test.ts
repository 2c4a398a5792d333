import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { projectKeys } from "../../../src/redis/keys.ts";
import { createTakeLease, type Lease } from "../../../src/redis/maintenance/lease.ts";
import { createWriteBuckets } from "../../../src/redis/maintenance/write-buckets.ts";
import { newProject } from "../../support/events.ts";
import { useRedis } from "../../support/use-redis.ts";

const redis = useRedis().connect();
const takeLease = createTakeLease(redis, 30_000);
const writeBuckets = createWriteBuckets(redis);

async function openWrite() {
  const keys = projectKeys(newProject().name);
  const lease = (await takeLease(keys.lease)) as Lease;
  let restCount = 0;
  const rest = async () => void restCount++;
  const write = (sizes: readonly number[]) => {
    const parts = sizes.map((size, i) => ({ key: `${keys.index}:${i}`, records: randomBytes(size) }));
    return writeBuckets({ keys, lease, segment: "1-0", indexIds: ["n", "i"], parts, rest }).then(() => parts);
  };
  return { keys, lease, write, restCount: () => restCount };
}

describe("writeBuckets", () => {
  it("writes every bucket as it is, at most 256 KiB in a step", async () => {
    const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.constantFrom(262_144, 262_145, 700_000)), {
      maxLength: 8,
    });
    await fc.assert(
      fc.asyncProperty(sizes, async (given) => {
        const { write, restCount } = await openWrite();

        const parts = await write(given);

        for (const { key, records } of parts) expect((await redis.getBuffer(key))?.equals(records)).toBe(true);
        const bytes = given.reduce((sum, size) => sum + size, 0);
        expect(restCount()).toBeGreaterThanOrEqual(Math.ceil(bytes / 262_144));
      }),
      { numRuns: 30 },
    );
  });

  it("has what it writes count as to be deleted", async () => {
    const { keys, write } = await openWrite();

    await write([10]);

    expect((await redis.smembers(keys.droppedIndexes)).sort()).toEqual(["1-0:i", "1-0:n"]);
  });

  it("writes nothing once the lease is lost", async () => {
    const { keys, write } = await openWrite();
    await redis.set(keys.lease, "another's");

    await expect(write([10])).rejects.toThrow(/^LEASE/);

    expect(await redis.keys(`${keys.index}*`)).toEqual([]);
    expect(await redis.exists(keys.droppedIndexes)).toBe(0);
  });
});
