import type { Redis } from "ioredis";

/**
 * Deletes the keys that match a pattern, and tells how many there were, and how many bytes of Redis' memory that freed.
 */
export async function deleteKeys(redis: Redis, pattern: string): Promise<{ keyCount: number; freed: number }> {
  const keys = await findKeys(redis, pattern);
  const before = await readUsedMemory(redis);
  for (let at = 0; at < keys.length; at += batchKeys) await redis.del(keys.slice(at, at + batchKeys));
  return { keyCount: keys.length, freed: before - (await readUsedMemory(redis)) };
}

const batchKeys = 1000;

/** Before any is deleted: a scan may find a key twice, and names of keys are no text. */
async function findKeys(redis: Redis, pattern: string): Promise<Buffer[]> {
  const keys = new Map<string, Buffer>();
  let cursor = "0";
  do {
    const [next, found] = await redis.scanBuffer(cursor, "MATCH", pattern, "COUNT", batchKeys);
    for (const key of found) keys.set(key.toString("latin1"), key);
    cursor = next.toString();
  } while (cursor !== "0");
  return [...keys.values()];
}

async function readUsedMemory(redis: Redis): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await redis.info("memory"))?.[1]);
}
