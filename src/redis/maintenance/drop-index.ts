import type { Redis } from "ioredis";
import { bucketCount, bucketKey } from "../index-record.ts";
import type { ProjectKeys } from "../keys.ts";
import { loadScript } from "../scripts.ts";
import type { Lease } from "./lease.ts";
import type { Rest } from "./pace.ts";

/**
 * Deletes an index of one segment, given as `<base>:<id of the index>`, in steps. One that its segment lists is kept, and no
 * longer counts as to be deleted. May be broken off and begun again. Rejects when the lease is lost, and as `rest` and
 * ioredis do.
 */
export type DropIndex = (keys: ProjectKeys, lease: Lease, dropped: string, rest: Rest) => Promise<void>;

/** So few that a command stays below a millisecond where they are large. */
const bucketsAtOnce = 32;

export function createDropIndex(redis: Redis): DropIndex {
  const script = loadScript(redis, "drop-index");
  return async (keys, lease, dropped, rest) => {
    const [base = "", indexId = ""] = dropped.split(":");
    for (let start = 0; start < bucketCount; start += bucketsAtOnce) {
      const buckets = Array.from({ length: bucketsAtOnce }, (_, i) => bucketKey(keys.index, base, indexId, start + i));
      const isLast = start + bucketsAtOnce >= bucketCount;
      const deleted = await script(
        [lease.key, keys.segments, keys.droppedIndexes, ...buckets],
        [lease.token, base, indexId, isLast ? 1 : 0],
      );
      if (deleted !== 1) return;
      await rest();
    }
  };
}
