import fc from "fast-check";
import type { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import { hashId } from "../../src/redis/id-hash.ts";
import type { ProjectKeys } from "../../src/redis/keys.ts";
import { createReadById } from "../../src/redis/read-by-id.ts";
import { createChunkAppender, eventWithoutId } from "../support/chunk-appender.ts";
import { useRedis } from "../support/use-redis.ts";

const redis = useRedis();

/** How many buckets there are after chunks of so many ids: four are divided a chunk, while there are 64 ids for each. */
function bucketsAfter(chunks: readonly number[]): number {
  let [first, divided, ids] = [1, 0, 0];
  for (const size of chunks) {
    ids += size;
    for (let n = 0; n < 4 && (first + divided) * 64 < ids; n++)
      [first, divided] = divided + 1 === first ? [16 * first, 0] : [first, divided + 1];
  }
  return first + 15 * divided;
}

function setUp() {
  const connection = redis.connect();
  return { connection, ...createChunkAppender(connection), readById: createReadById(connection) };
}

/** The ids of each bucket of the first generation, and its time to live. */
async function readBuckets(connection: Redis, keys: ProjectKeys) {
  const buckets = await connection.keys(`${keys.ids}:0:*`);
  return Promise.all(
    buckets.map(async (key) => {
      const fields = await connection.hkeys(key);
      return { ids: fields.filter((field) => field !== "").length, ttlMs: await connection.pttl(key) };
    }),
  );
}

/** Ids whose hashes begin with the same digits. */
function idsAlike(count: number, digits: string): string[] {
  const ids: string[] = [];
  for (let i = 0; ids.length < count; i++) if (hashId(`${i}`).toString("hex").startsWith(digits)) ids.push(`${i}`);
  return ids;
}

describe("buckets of ids", () => {
  it("are as many as their ids need, and lose none", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 8 }), async (sizes) => {
        const { connection, project, keys, append, appendKinds, readById } = setUp();
        const chunks = sizes.map((size, chunk) => Array.from({ length: size }, (_, i) => `${chunk}/${i}`));
        for (const chunk of chunks) expect(new Set(await appendKinds(chunk))).toEqual(new Set(["added"]));

        const ids = chunks.flat();
        const buckets = await readBuckets(connection, keys);
        expect(buckets).toHaveLength(bucketsAfter(sizes));
        expect(buckets.reduce((sum, bucket) => sum + bucket.ids, 0)).toBe(ids.length);
        for (const { ttlMs } of buckets) expect(ttlMs).toBeGreaterThan(0);
        const expectKnown = async (isAtomic: boolean) => {
          const { outcomes } = await append(ids, { isAtomic });
          expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(["known"]));
        };
        await expectKnown(false);
        await expectKnown(true);
        await connection.hset(keys.meta, "began_ms", 0, "window_ms", Date.now() - 10_000);
        expect(await appendKinds(["of the next generation"])).toEqual(["added"]);
        await expectKnown(false);
        await expectKnown(true);
        for (const id of ids.slice(-3)) expect((await readById(project, id))?.position).toBeDefined();
        connection.disconnect();
      }),
      { numRuns: 30 },
    );
  });

  it("hold about as many each", async () => {
    const { connection, keys, append } = setUp();
    for (let n = 0; n < 10; n++) await append(Array.from({ length: 500 }, (_, i) => `${n}/${i}`));

    const sizes = (await readBuckets(connection, keys)).map(({ ids }) => ids);

    expect(Math.max(...sizes)).toBeLessThan(3 * (5000 / sizes.length));
  });

  it("count ids that the server assigned", async () => {
    const { connection, keys, append } = setUp();
    await append(Array.from({ length: 100 }, () => eventWithoutId()));

    expect(await readBuckets(connection, keys)).toHaveLength(bucketsAfter([100]));
  });

  it.each([300, 900])("stay, with a time to live, when %i ids are all of one of them", async (count) => {
    const { connection, keys, appendKinds } = setUp();
    const ids = idsAlike(count, "f");
    for (let at = 0; at < ids.length; at += 500) await appendKinds(ids.slice(at, at + 500));

    const buckets = await readBuckets(connection, keys);

    expect(buckets).toHaveLength(bucketsAfter(count > 500 ? [500, count - 500] : [count]));
    for (const { ttlMs } of buckets) expect(ttlMs).toBeGreaterThan(0);
    expect(new Set(await appendKinds(ids))).toEqual(new Set(["known"]));
    expect(new Set(await appendKinds(["other", "others", "more"]))).toEqual(new Set(["added"]));
  });

  it("are left whole when so many ids begin alike that to divide them would take long", async () => {
    const { connection, keys, appendKinds } = setUp();
    const ids = idsAlike(2000, "0");
    await connection.hset(keys.meta, { generation: 0, began_ms: Date.now(), window_ms: 604_800_000, id_border: "0" });
    for (let at = 0; at < ids.length; at += 500) {
      await connection.hset(keys.meta, "id_count", 0);
      await appendKinds(ids.slice(at, at + 500));
    }
    await connection.hset(keys.meta, "id_count", ids.length);

    expect(await appendKinds(["other"])).toEqual(["added"]);

    expect(await connection.hget(keys.meta, "id_border")).toBe("0");
    for (let at = 0; at < ids.length; at += 500)
      expect(new Set(await appendKinds(ids.slice(at, at + 500)))).toEqual(new Set(["known"]));
  });

  it.each(["pexpire", "hlen", "hgetall", "unlink"])("lose no id when %s is forbidden for a time", async (command) => {
    const { connection, keys, append, appendKinds } = setUp();
    const idsOf = (name: string, count: number) => Array.from({ length: count }, (_, i) => `${name} ${i}`);
    await appendKinds(idsOf("before", 500));
    await connection.hset(keys.meta, "began_ms", 0, "window_ms", Date.now() - 10_000);
    await connection.acl("SETUSER", "default", `-${command}`);

    await append(idsOf("half-way", 100)).catch(() => {});

    await connection.acl("SETUSER", "default", `+${command}`);
    expect(new Set(await appendKinds(idsOf("half-way", 100)))).toEqual(new Set(["known"]));
    expect(new Set(await appendKinds(idsOf("before", 500)))).toEqual(new Set(["known"]));
    await appendKinds(idsOf("after", 400));
    for (const key of await connection.keys(`${keys.ids}:1:*`)) expect(await connection.pttl(key)).toBeGreaterThan(0);
  });

  it("of a generation of 65,536, as they once were, are still looked at", async () => {
    const { connection, project, keys, append, appendKinds, readById } = setUp();
    await append(["a"]);
    const record = await connection.hgetBuffer(`${keys.ids}:0:`, hashId("a"));
    if (record === null) throw new Error("it was not remembered");
    const hash = hashId("a");
    const key = Buffer.concat([Buffer.from(`${keys.ids}:0:`), hash.subarray(0, 2)]);
    await connection.hset(key, new Map([[hash.subarray(2), record]]));
    await connection.del(`${keys.ids}:0:`);
    await connection.hdel(keys.meta, "id_border", "id_count");

    expect((await readById(project, "a"))?.position).toBeDefined();
    expect(await appendKinds(["b", "a"])).toEqual(["added", "known"]);
    expect(await appendKinds(["b", "a"], { isAtomic: true })).toEqual(["known", "known"]);
    expect((await readById(project, "a"))?.position).toBeDefined();
    expect(await connection.hget(keys.meta, "generation")).toBe("1");
  });
});
