import type { Redis } from "ioredis";
import { planIndexes } from "../src/redis/index-plan.ts";
import { bucketCount, bucketKey, recordBytes } from "../src/redis/index-record.ts";
import { projectKeys } from "../src/redis/keys.ts";
import { type DataSet, indexedProperties } from "./support/data-sets.ts";
import type { Finding } from "./support/finding.ts";

/** What a record of each index takes of Redis' memory, in a data set of one segment. */
export async function measureRecordMemory(redis: Redis, { name, eventCount }: DataSet): Promise<Finding[]> {
  const keys = projectKeys(name);
  const segments = await redis.hkeys(keys.segments);
  const [base, ...others] = segments;
  if (base === undefined || others.length > 0) throw new Error(`${name} has ${segments.length} segments, and not one`);
  const whats = ["name", "identity", ...indexedProperties.map((property) => `property ${property}`)];
  const { ids } = planIndexes(indexedProperties);
  return Promise.all(
    ids.map(async (id, i) => {
      const buckets = Array.from({ length: bucketCount }, (_, bucket) => bucketKey(keys.index, base, id, bucket));
      const sizes = await Promise.all(buckets.map((bucket) => redis.strlen(bucket)));
      const memory = await Promise.all(buckets.map((bucket) => redis.memory("USAGE", bucket)));
      const records = sum(sizes) / recordBytes;
      const fullest = Math.max(...sizes) / recordBytes;
      return {
        what: `${name}: a record of the index by ${whats[i]}, of ${eventCount} events in a segment`,
        figures: `${(sum(memory) / records).toFixed(1)} bytes of memory, ${fullest} in the fullest bucket`,
      };
    }),
  );
}

function sum(numbers: readonly (number | null)[]): number {
  return numbers.reduce<number>((all, number) => all + (number ?? 0), 0);
}
