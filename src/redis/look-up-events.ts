import type { ReadRange, StoredEvent } from "../domain/ports.ts";
import type { Project } from "../domain/project.ts";
import { cutTrimmed, type DataSet } from "./data-set.ts";
import type { IndexLookup } from "./index-lookup.ts";
import type { ReadEntriesAt } from "./read-entries.ts";
import type { ReadIndex } from "./read-index.ts";
import type { Segment, SegmentList, Segments } from "./segments.ts";
import type { StreamPlace } from "./stream-place.ts";
import { endOf, intersect, isEmpty, isWithin, type StreamSpan, spanBehind, startOf } from "./stream-span.ts";

/** What the indexes say of a span. */
export type FoundEvents =
  | {
      readonly kind: "found";
      readonly dataSet: DataSet;
      readonly events: readonly StoredEvent[];
      /** Exclusive: how far in the order it looked. */
      readonly reached?: StreamPlace | undefined;
      /** What that took, in events that were scanned. */
      readonly scannedCount: number;
      /** Whether it looked at all of the span. */
      readonly isEnd: boolean;
    }
  /** No index holds this part of the span, which comes first in the order, and is perhaps the last as well. */
  | { readonly kind: "unindexed"; readonly span: StreamSpan; readonly isLast: boolean; readonly version: string };

/** Looks events up in the indexes, as far as one step should. Rejects as ioredis does. */
export type LookUpEvents = (
  project: Project,
  lookups: readonly IndexLookup[],
  span: StreamSpan,
  range: Pick<ReadRange, "order" | "countMax">,
) => Promise<FoundEvents>;

export interface LookUpDeps {
  readonly segments: Segments;
  readonly readIndex: ReadIndex;
  readonly readEntries: ReadEntriesAt;
}

/** Records that one command reads at first, and at most when those held too few that were looked for. */
const recordsAtFirst = 1024;
const recordsAtMost = 16_384;

/** Of a bucket when there are many: with fewer, each would be come back to too often. */
const recordsAtLeast = 128;

/** Segments that are looked into at a time, at most. */
const segmentsAtOnce = 8;

/** What one step looks at: some milliseconds of work, in pieces. */
const recordsPerStep = 500_000;

/** So many records cost as much as an event that is scanned. */
const recordsPerEvent = 100;

/** How often the segments may change while they are looked into. */
const attemptsMax = 10;

export function createLookUpEvents({ segments, readIndex, readEntries }: LookUpDeps): LookUpEvents {
  return async (project, lookups, span, range) => {
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const list = await segments.read(project);
      const found = await lookUp(list, partsOf(list.segments, lookups, span, range.order));
      if (found !== "stale") return found;
      segments.forget(project);
    }
    throw new Error("the segments change all the time");

    /** Stale: the segments have changed since the list was read. */
    async function lookUp(list: SegmentList, parts: readonly Part[]): Promise<FoundEvents | "stale"> {
      const { order, countMax } = range;
      let rest = parts;
      const places: StreamPlace[] = [];
      let dataSet: DataSet | undefined;
      let newest: StreamPlace | undefined;
      let recordCount = 0;
      for (let step = 0; places.length < countMax && recordCount < recordsPerStep; step++) {
        const batch = takeIndexed(rest.slice(0, Math.min(2 ** step, segmentsAtOnce)));
        if (batch.length === 0) break;
        const records = Math.min(recordsAtFirst * 4 ** step, recordsAtMost);
        const slices = await Promise.all(
          batch.map(({ segment, lookup, span: part }) => {
            const recordsMax = Math.max(Math.ceil(records / lookup.fingerprints.size), recordsAtLeast);
            return readIndex(lookup, {
              project,
              segment,
              order,
              after: startOf(part, order),
              recordsMax,
              placesMax: countMax,
            });
          }),
        );
        for (const [i, slice] of slices.entries()) {
          const part = batch[i];
          if (part === undefined || !slice.isHeld || slice.dataSet.segmentsVersion !== list.version) return "stale";
          dataSet = slice.dataSet;
          newest = slice.newest;
          recordCount += slice.recordCount;
          // Records outlive the events that retention removes, until all of their segment are gone.
          const kept = cutTrimmed(part.span, slice.dataSet);
          for (const place of slice.places) if (isWithin(place, kept)) places.push(place);
          rest = rest.slice(1).filter(({ span: other }) => !isEmpty(cutTrimmed(other, slice.dataSet)));
          const left = slice.reached && intersect(kept, spanBehind(slice.reached, order));
          if (left === undefined || isEmpty(left)) continue;
          rest = [{ ...part, span: left }, ...rest];
          break;
        }
      }
      const [next] = rest;
      if (dataSet === undefined) {
        return { kind: "unindexed", span: next?.span ?? span, isLast: rest.length <= 1, version: list.version };
      }

      const wanted = places.slice(0, countMax);
      const read = wanted.length === 0 ? undefined : await readEntries(project, wanted);
      const scannedCount = Math.ceil(recordCount / recordsPerEvent) + wanted.length;
      const isCut = read !== undefined && read.placeCount < places.length;
      const newestOfSpan = newest && isWithin(newest, span) ? newest : undefined;
      const end = next === undefined ? (endOf(span, order) ?? newestOfSpan) : startOf(next.span, order);
      return {
        kind: "found",
        dataSet: read?.dataSet ?? dataSet,
        events: read?.events ?? [],
        reached: isCut ? wanted[read.placeCount - 1] : end,
        scannedCount,
        isEnd: !isCut && next === undefined,
      };
    }
  };
}

/** A part of a span that lies in one segment, or in front of all. */
interface Part {
  readonly span: StreamSpan;
  readonly segment?: Segment | undefined;
  /** The first of the lookups whose index holds it. */
  readonly lookup?: IndexLookup | undefined;
}

interface IndexedPart extends Part {
  readonly segment: Segment;
  readonly lookup: IndexLookup;
}

/** The parts of a span, in order. */
function partsOf(
  segments: readonly Segment[],
  lookups: readonly IndexLookup[],
  span: StreamSpan,
  order: ReadRange["order"],
): Part[] {
  const inFront: Part = { span: { low: { ms: 0, seq: 0 }, high: segments[0]?.base } };
  const all = segments.map((segment, i): Part => {
    const lookup = lookups.find(({ indexId }) => segment.indexIds.has(indexId));
    return { span: { low: segment.base, high: segments[i + 1]?.base }, segment, lookup };
  });
  const parts = [inFront, ...all]
    .map((part) => ({ ...part, span: intersect(part.span, span) }))
    .filter((part) => !isEmpty(part.span));
  return order === "newest-first" ? parts.reverse() : parts;
}

/** Those in front that an index holds. */
function takeIndexed(parts: readonly Part[]): IndexedPart[] {
  const first = parts.findIndex(({ lookup }) => lookup === undefined);
  const held = first === -1 ? parts : parts.slice(0, first);
  return held.flatMap(({ span, segment, lookup }) => (segment && lookup ? [{ span, segment, lookup }] : []));
}
