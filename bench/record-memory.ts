import type { Redis } from "ioredis";
import { planIndexes } from "../src/redis/index-plan.ts";
import { type DataSet, indexedProperties } from "./support/data-sets.ts";
import type { Finding } from "./support/finding.ts";
import { readIndexMemory } from "./support/index-memory.ts";

/** What a record of each index takes of Redis' memory, in a data set of one segment. */
export async function measureRecordMemory(redis: Redis, { name, eventCount }: DataSet): Promise<Finding[]> {
  const whats = ["name", "identity", ...indexedProperties.map((property) => `property ${property}`)];
  return Promise.all(
    planIndexes(indexedProperties).ids.map(async (id, i) => {
      const { bytes, records, fullest } = await readIndexMemory(redis, name, id);
      return {
        what: `${name}: a record of the index by ${whats[i]}, of ${eventCount} events in a segment`,
        figures: `${(bytes / records).toFixed(1)} bytes of memory, ${fullest} records in the fullest bucket`,
      };
    }),
  );
}
