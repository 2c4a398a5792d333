import type { Redis } from "ioredis";
import type { ProjectKeys } from "../keys.ts";
import { loadScript } from "../scripts.ts";
import type { Lease } from "./lease.ts";
import type { Rest } from "./pace.ts";

/** A part of a bucket. */
export interface BucketPart {
  readonly key: string;
  readonly records: Buffer;
}

/** What to write where. */
export interface BucketWrite {
  readonly keys: ProjectKeys;
  readonly lease: Lease;
  /** The id of the segment. */
  readonly segment: string;
  /** Of the indexes that are being built, which count as to be deleted as long. */
  readonly indexIds: readonly string[];
  readonly parts: Iterable<BucketPart>;
  readonly rest: Rest;
}

/** Appends to buckets, in bounded steps. Rejects when the lease is lost, and as `rest` and ioredis do. */
export type WriteBuckets = (write: BucketWrite) => Promise<void>;

export function createWriteBuckets(redis: Redis): WriteBuckets {
  const script = loadScript(redis, "append-buckets");
  return async ({ keys, lease, segment, indexIds, parts, rest }) => {
    for (const share of toShares(parts)) {
      await script(
        [lease.key, keys.droppedIndexes, ...share.map(({ key }) => key)],
        [lease.token, segment, indexIds.join(" "), ...share.map(({ records }) => records)],
      );
      await rest();
    }
  };
}

/** What one command writes at most. */
const shareBytesMax = 256 << 10;

function* toShares(parts: Iterable<BucketPart>): Generator<BucketPart[]> {
  let share: BucketPart[] = [];
  let bytes = 0;
  for (const { key, records } of parts) {
    for (let start = 0; start < records.length; start += shareBytesMax) {
      const part = records.subarray(start, start + shareBytesMax);
      if (bytes + part.length > shareBytesMax) {
        yield share;
        share = [];
        bytes = 0;
      }
      share.push({ key, records: part });
      bytes += part.length;
    }
  }
  if (share.length > 0) yield share;
}
