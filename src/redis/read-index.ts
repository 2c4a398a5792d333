import type { Redis } from "ioredis";
import type { ReadRange } from "../domain/ports.ts";
import type { Project } from "../domain/project.ts";
import { type DataSet, readDataSet } from "./data-set.ts";
import type { IndexLookup } from "./index-lookup.ts";
import { bucketKey, msOffsetMax, readPlace, recordBytes, writeRecord } from "./index-record.ts";
import { projectKeys } from "./keys.ts";
import { loadScript } from "./scripts.ts";
import type { Segment } from "./segments.ts";
import { comparePlaces, parseStreamId, placeBefore, placeBehind, type StreamPlace } from "./stream-place.ts";

/** Where to look, and how far. */
export interface IndexRange {
  readonly project: Project;
  readonly segment: Segment;
  readonly order: ReadRange["order"];
  /** Exclusive; absent, or outside the segment: all of it in this order. */
  readonly after: StreamPlace | undefined;
  /** How many records to look at in each bucket. */
  readonly recordsMax: number;
  /** After how many places of a bucket to look no further. */
  readonly placesMax: number;
}

/** What a lookup found in a segment. */
export interface IndexSlice {
  readonly dataSet: DataSet;
  /** Whether the index holds the segment; if not, nothing was looked at. */
  readonly isHeld: boolean;
  /** The stream's newest entry at that moment; only oldest first. */
  readonly newest: StreamPlace | undefined;
  /** Of events that may have a term that was looked for, in order, each once. */
  readonly places: readonly StreamPlace[];
  /** Exclusive: how far in the order it looked. Absent: to the end of the segment. */
  readonly reached: StreamPlace | undefined;
  readonly recordCount: number;
}

/** Looks terms up in one segment. Rejects as ioredis does. */
export type ReadIndex = (lookup: IndexLookup, range: IndexRange) => Promise<IndexSlice>;

export function createReadIndex(redis: Redis): ReadIndex {
  const script = loadScript(redis, "read-index");
  return async ({ indexId, fingerprints }, range) => {
    const { project, segment, order, after, recordsMax, placesMax } = range;
    const keys = projectKeys(project.name);
    const isNewest = order === "newest-first";
    const buckets = [...fingerprints.keys()];
    const reply = await script(
      [
        keys.meta,
        keys.segments,
        keys.events,
        ...buckets.map((bucket) => bucketKey(keys.index, segment.id, indexId, bucket)),
      ],
      [segment.id, indexId, isNewest ? "newest" : "oldest", toBound(segment.base, isNewest, after), recordsMax],
    );
    const [epoch, trimmed, version, isHeld, newest, ...slices] = Array.isArray(reply) ? reply : [];
    if (!Buffer.isBuffer(newest)) throw new Error("read-index.lua gave an unknown reply");
    const read = buckets.map((bucket, i) => {
      const wanted = fingerprints.get(bucket) ?? new Set();
      const records = slices[2 * i] ?? Buffer.alloc(0);
      const isWhole = Number(slices[2 * i + 1] ?? 0) === 0;
      return readSlice({ base: segment.base, isNewest, wanted, records, isWhole, placesMax });
    });
    return {
      dataSet: readDataSet([epoch, trimmed, version]),
      isHeld: isHeld === 1,
      newest: newest.length === 0 ? undefined : parseStreamId(newest.toString("latin1")),
      ...mergeSlices(read, order),
      recordCount: read.reduce((sum, { recordCount }) => sum + recordCount, 0),
    };
  };
}

/** A place as a record begins with it; one outside the segment's reach stands for the end that it is beyond. */
function toBound(base: StreamPlace, isNewest: boolean, after: StreamPlace | undefined): Buffer {
  if (after === undefined) return fromStart;
  if (comparePlaces(after, base) < 0) return isNewest ? Buffer.alloc(placeBytes) : fromStart;
  const msOffset = after.ms - base.ms;
  if (msOffset > msOffsetMax) return isNewest ? fromStart : Buffer.alloc(placeBytes, 0xff);
  const bound = Buffer.alloc(recordBytes);
  const seq = Math.min(after.seq, seqMax + (msOffset === 0 ? base.seq : 0));
  writeRecord(bound, 0, base, { ms: after.ms, seq }, 0);
  return bound.subarray(0, placeBytes);
}

const placeBytes = 7;
const fromStart = Buffer.alloc(0);
const seqMax = 0xffffff;

type BucketSlice = Pick<IndexSlice, "places" | "reached" | "recordCount">;

interface SliceOptions {
  readonly base: StreamPlace;
  readonly isNewest: boolean;
  readonly wanted: ReadonlySet<number>;
  readonly records: Buffer;
  /** Whether the bucket has no more in this direction. */
  readonly isWhole: boolean;
  readonly placesMax: number;
}

function readSlice({ base, isNewest, wanted, records, isWhole, placesMax }: SliceOptions): BucketSlice {
  const places: StreamPlace[] = [];
  const recordCount = records.length / recordBytes;
  const single = wanted.size === 1 ? [...wanted][0] : undefined;
  for (let i = 0; i < recordCount; i++) {
    const offset = (isNewest ? recordCount - 1 - i : i) * recordBytes;
    const fingerprint =
      ((records[offset + 7] ?? 0) << 16) | ((records[offset + 8] ?? 0) << 8) | (records[offset + 9] ?? 0);
    if (single === undefined ? !wanted.has(fingerprint) : fingerprint !== single) continue;
    const place = readPlace(records, offset, base);
    places.push(place);
    if (places.length === placesMax) return { places, reached: place, recordCount: i + 1 };
  }
  if (isWhole) return { places, reached: undefined, recordCount };
  // Another record of the same event may be left: its place is not passed yet.
  const edge = readPlace(records, isNewest ? 0 : records.length - recordBytes, base);
  return { places, reached: isNewest ? placeBehind(edge) : placeBefore(edge), recordCount };
}

/** The places of all buckets, as far as all of them were looked at. */
function mergeSlices(
  slices: readonly BucketSlice[],
  order: ReadRange["order"],
): Pick<IndexSlice, "places" | "reached"> {
  const sign = order === "newest-first" ? -1 : 1;
  const edges = slices.flatMap(({ reached }) => reached ?? []).sort((a, b) => sign * comparePlaces(a, b));
  const [reached] = edges;
  const merged = slices.length === 1 ? [...(slices[0]?.places ?? [])] : slices.flatMap(({ places }) => places);
  if (slices.length > 1) merged.sort((a, b) => sign * comparePlaces(a, b));
  const places = merged.filter((place, i) => {
    const before = merged[i - 1];
    const isNew = before === undefined || comparePlaces(before, place) !== 0;
    return isNew && (reached === undefined || sign * comparePlaces(place, reached) <= 0);
  });
  return { places, reached };
}
