import type { Redis } from "ioredis";
import { eventBytesOf } from "../entry.ts";
import type { IndexPlan } from "../index-plan.ts";
import { bucketCount, bucketKey, bucketOf, fingerprintOf, msOffsetMax } from "../index-record.ts";
import { visitTerms } from "../index-terms.ts";
import type { ProjectKeys } from "../keys.ts";
import { loadScript } from "../scripts.ts";
import { parseStreamId, type StreamPlace, toStreamId } from "../stream-place.ts";
import { type BucketRecords, createBucketRecords } from "./bucket-records.ts";
import type { Lease } from "./lease.ts";
import { createMeasureEvents, rangeEnd } from "./measure-events.ts";
import type { Build } from "./next-build.ts";
import type { Rest } from "./pace.ts";
import { createStepSize } from "./step-size.ts";
import { type BucketPart, createWriteBuckets } from "./write-buckets.ts";

export interface BuildOptions {
  /** How many events are cut off those that are in no segment, to be one. */
  readonly segmentEventsMax: number;
  /** Memory that records may take until they are written. */
  readonly recordBytesMax: number;
}

/** What to build for whom. */
export interface BuildWork {
  readonly keys: ProjectKeys;
  readonly lease: Lease;
  readonly plan: IndexPlan;
  readonly build: Build;
  readonly rest: Rest;
  /** Told how many events are done, of how many: at the beginning, and after each step. */
  readonly onProgress: (eventCount: number, totalCount: number) => void;
}

/** What was built. */
export interface Built {
  readonly base: StreamPlace;
  readonly eventCount: number;
}

/**
 * Builds indexes for the events of one segment, and lists them once they are whole. Resolves with undefined when they are
 * not needed any more: another plan holds by then, or the events are gone. Broken off, it leaves nothing that is read;
 * what it leaves counts as to be deleted, and has to be before it is begun again. Rejects when the lease is lost, and as
 * `rest` and ioredis do.
 */
export type BuildIndexes = (work: BuildWork) => Promise<Built | undefined>;

export function createBuildIndexes(redis: Redis, { segmentEventsMax, recordBytesMax }: BuildOptions): BuildIndexes {
  const measureEvents = createMeasureEvents(redis);
  const writeBuckets = createWriteBuckets(redis);
  const listIndexes = loadScript(redis, "list-indexes", 4);

  return async ({ keys, lease, plan, build, rest, onProgress }) => {
    const countMax = build.base === undefined ? segmentEventsMax : Number.POSITIVE_INFINITY;
    const measured = await measureEvents(keys, { ...build, countMax, msMax: msOffsetMax }, rest);
    const base = build.base ?? measured.oldest;
    if (base === undefined) return undefined;
    const segment = toStreamId(base);
    const indexIds = build.ordinals.map((ordinal) => plan.ids[ordinal] ?? "");
    const records = createBucketRecords(base);
    const keyOf = (ordinal: number, bucket: number) => bucketKey(keys.index, segment, plan.ids[ordinal] ?? "", bucket);
    const write = () => writeBuckets({ keys, lease, segment, indexIds, parts: toParts(records, keyOf), rest });

    let eventCount = 0;
    const size = createStepSize();
    const end = rangeEnd(build.behind, build.newest);
    for (let start = segment, isEnd = false; !isEnd; ) {
      onProgress(eventCount, measured.eventCount);
      const count = size.count();
      const entries = await redis.xrangeBuffer(keys.events, start, end, "COUNT", count);
      const { bytes, last } = addRecords(records, plan, build.ordinals, entries);
      size.learn(entries.length, bytes);
      eventCount += entries.length;
      start = `(${last}`;
      isEnd = entries.length < count;
      if (records.bytes() > recordBytesMax) await write();
      await rest();
    }
    await write();
    const listed = await listIndexes(
      [lease.key, keys.meta, keys.segments, keys.droppedIndexes],
      [lease.token, plan.text, segment, build.base === undefined ? 1 : 0, ...indexIds],
    );
    return listed === 1 ? { base, eventCount } : undefined;
  };
}

/** Adds the records of some entries. Returns their size, and the stream id of the last. */
function addRecords(
  records: BucketRecords,
  plan: IndexPlan,
  ordinals: readonly number[],
  entries: readonly [Buffer, Buffer[]][],
): { bytes: number; last: string } {
  let read = 0;
  let last = "";
  for (const [id, fields] of entries) {
    last = id.toString("latin1");
    const place = parseStreamId(last);
    const bytes = eventBytesOf(fields);
    visitTerms(plan, bytes, (ordinal, term) => {
      if (ordinals.includes(ordinal)) records.add(ordinal * bucketCount + bucketOf(term), place, fingerprintOf(term));
    });
    read += bytes.length;
  }
  return { bytes: read, last };
}

function* toParts(records: BucketRecords, keyOf: (ordinal: number, bucket: number) => string): Generator<BucketPart> {
  for (const [bucket, bytes] of records.drain()) {
    yield { key: keyOf(Math.floor(bucket / bucketCount), bucket % bucketCount), records: bytes };
  }
}
