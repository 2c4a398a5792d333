import type { Redis } from "ioredis";
import { bucketCount, bucketKey, recordBytes } from "../../src/redis/index-record.ts";
import { projectKeys } from "../../src/redis/keys.ts";

/** What an index takes of Redis' memory. */
export interface IndexMemory {
  readonly bytes: number;
  readonly records: number;
  /** Records in the largest of its buckets. */
  readonly fullest: number;
}

/** Measures an index of a project that has one segment. */
export async function readIndexMemory(redis: Redis, project: string, indexId: string): Promise<IndexMemory> {
  const keys = projectKeys(project);
  const [base, ...others] = await redis.hkeys(keys.segments);
  if (base === undefined || others.length > 0) throw new Error(`${project} has ${others.length + 1} segments, or none`);
  const buckets = Array.from({ length: bucketCount }, (_, bucket) => bucketKey(keys.index, base, indexId, bucket));
  const sizes = await Promise.all(buckets.map((bucket) => redis.strlen(bucket)));
  const memory = await Promise.all(buckets.map((bucket) => redis.memory("USAGE", bucket)));
  return {
    bytes: memory.reduce<number>((sum, bytes) => sum + (bytes ?? 0), 0),
    records: sizes.reduce((sum, size) => sum + size, 0) / recordBytes,
    fullest: Math.max(...sizes) / recordBytes,
  };
}
