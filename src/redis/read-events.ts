import type { Redis } from "ioredis";
import type { Position } from "../domain/cursor.ts";
import { SluiceError } from "../domain/errors.ts";
import type { EventFilter } from "../domain/event-filter.ts";
import type { EventLog, ReadRange, ReadSlice, StoredEvent } from "../domain/ports.ts";
import type { Project } from "../domain/project.ts";
import { checkPosition, cutTrimmed, type DataSet, dataSetFields, makeEpoch, readDataSet } from "./data-set.ts";
import { toStoredEvent } from "./entry.ts";
import { planLookups } from "./index-lookup.ts";
import { projectKeys } from "./keys.ts";
import { createLookUpEvents } from "./look-up-events.ts";
import type { RangeConnection } from "./range-connection.ts";
import { createReadById } from "./read-by-id.ts";
import { createReadEntries } from "./read-entries.ts";
import { createReadIndex } from "./read-index.ts";
import { createScanEvents } from "./scan-events.ts";
import { createSegments } from "./segments.ts";
import { toReadError } from "./storage-error.ts";
import { comparePlaces, parseStreamId, placeBefore, type StreamPlace, toStreamId } from "./stream-place.ts";
import { endOf, intersect, isEmpty, type StreamSpan, spanBehind, toSpan, wholeStream } from "./stream-span.ts";
import { createTurns } from "./turns.ts";

/** Reads events from a project's stream. */
export interface ReadEvents extends Pick<EventLog, "read" | "readAt" | "readById" | "startOfTail"> {
  /** The event at a position, if it is there. Rejects as ioredis does. */
  readEntry(project: Project, position: Position): Promise<StoredEvent | undefined>;
}

/** Searches at a time: they would have everyone else wait for all of them otherwise, at Redis and in this process. */
const searchesAtOnce = 1;

/** How long a step of a search waits for those of others: some thousand of them. A tail comes again, after a sign of life. */
const searchWaitMs = { call: 5000, tail: 1000 };

/** How many events one step of a search reads: about a millisecond of this process. */
const searchStep = 250;

/** What a step of reading found, as far as it came. */
interface Found extends Pick<ReadSlice, "events" | "scannedCount" | "isEnd"> {
  readonly dataSet: DataSet;
  /** Exclusive. */
  readonly reached?: StreamPlace | undefined;
}

export function createReadEvents(redis: Redis, ranges?: RangeConnection): ReadEvents {
  const scan = createScanEvents(redis, ranges);
  const readEntries = createReadEntries(redis, ranges);
  const segments = createSegments(redis);
  const lookUp = createLookUpEvents({ segments, readIndex: createReadIndex(redis), readEntries });
  const readById = createReadById(redis);
  const turns = createTurns(searchesAtOnce, searchWaitMs);

  async function read(project: Project, range: ReadRange): Promise<ReadSlice> {
    const isSifted = range.filter !== undefined && isSelective(range.filter);
    const { searchFor, signal } = range;
    const countMax = isSifted || searchFor !== undefined ? Math.min(range.countMax, searchStep) : range.countMax;
    const readOnce = () => readSpan(project, toSpan(range), { ...range, countMax });
    const { dataSet, events, reached, scannedCount, isEnd } = await (searchFor === undefined
      ? readOnce()
      : turns.take(searchFor, readOnce, signal));
    await check(project, dataSet, range.after);
    const { epoch, trimmed } = dataSet;
    const isGone = reached !== undefined && trimmed !== undefined && comparePlaces(reached, trimmed) <= 0;
    return {
      events,
      // A position from before what is kept would be refused, though nothing that is kept lies before it.
      reached: toPosition(epoch, isGone ? trimmed : reached),
      scannedCount,
      isEnd: isEnd || (isGone && range.order === "newest-first"),
    };
  }

  /** Reads what comes first in a span. */
  async function readSpan(project: Project, whole: StreamSpan, range: ReadRange): Promise<Found> {
    const { filter, order } = range;
    const lookups = filter === undefined ? [] : planLookups(filter);
    if (lookups.length === 0) return scanSpan(project, whole, range);
    for (let span = whole; ; ) {
      const found = await lookUp(project, lookups, span, range);
      if (found.kind === "found") return found;
      const scanned = await scanSpan(project, found.span, range);
      if (scanned.dataSet.segmentsVersion !== found.version) segments.forget(project);
      if (!scanned.isEnd || found.isLast) return scanned;
      // As a rule there is nothing in front of the first segment.
      const end = endOf(found.span, order);
      const rest = end && cutTrimmed(intersect(span, spanBehind(end, order)), scanned.dataSet);
      if (rest === undefined || isEmpty(rest)) return scanned;
      if (scanned.events.length > 0) return { ...scanned, isEnd: false };
      span = rest;
    }
  }

  async function scanSpan(project: Project, span: StreamSpan, range: ReadRange): Promise<Found> {
    const { dataSet, events, isEnd } = await scan(project, span, range);
    const end = isEnd ? endOf(span, range.order) : undefined;
    return { dataSet, events, reached: end ?? events.at(-1)?.position, scannedCount: events.length, isEnd };
  }

  function check(project: Project, dataSet: DataSet, position: Position | undefined): Promise<void> {
    return checkPosition(dataSet, position, async () => {
      const { events } = await scan(project, wholeStream, { order: "oldest-first", countMax: 1 });
      return events[0]?.position;
    });
  }

  async function readEntry(project: Project, position: Position): Promise<StoredEvent | undefined> {
    const id = toStreamId(position);
    const [entry] = await redis.xrangeBuffer(projectKeys(project.name).events, id, id);
    return entry === undefined ? undefined : toStoredEvent(position.epoch, ...entry);
  }

  async function readAt(project: Project, position: Position): Promise<StoredEvent | undefined> {
    const { dataSet, events } = await readEntries(project, [position]);
    // An event that was the last to be trimmed is gone too, though a page may go on behind it.
    const isTrimmed = events.length === 0 && dataSet.trimmed && comparePlaces(position, dataSet.trimmed) === 0;
    await check(project, dataSet, isTrimmed ? { ...position, ...placeBefore(position) } : position);
    return events[0];
  }

  async function startOfTail({ name }: Project, fromMs?: number): Promise<Position> {
    const keys = projectKeys(name);
    const [newest, [storedEpoch, ...fields]] = await Promise.all([
      redis.xrevrangeBuffer(keys.events, "+", "-", "COUNT", 1),
      redis.hmget(keys.meta, ...dataSetFields),
    ]);
    const epoch = storedEpoch ?? (await nameDataSet(keys.meta));
    const start = fromMs === undefined ? parseStreamId(newest[0]?.[0].toString("latin1") ?? "0-0") : beforeMs(fromMs);
    const end = readDataSet([epoch, ...fields]).trimmed;
    return { epoch, ...(end !== undefined && comparePlaces(start, end) < 0 ? end : start) };
  }

  /** Cursors need a data set to be of, before the first event is stored. */
  async function nameDataSet(meta: string): Promise<string> {
    const made = makeEpoch();
    await redis.hsetnx(meta, "epoch", made);
    return (await redis.hget(meta, "epoch")) ?? made;
  }

  return {
    read: (project, range) => asReadError(() => read(project, range)),
    readAt: (project, position) => asReadError(() => readAt(project, position)),
    readById: (project, id) => asReadError(() => readById(project, id)),
    startOfTail: (project, fromMs) => asReadError(() => startOfTail(project, fromMs)),
    readEntry,
  };
}

async function asReadError<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (thrown) {
    throw thrown instanceof SluiceError ? thrown : toReadError(thrown);
  }
}

function toPosition(epoch: string | undefined, place: StreamPlace | undefined): Position | undefined {
  return epoch === undefined || place === undefined ? undefined : { epoch, ms: place.ms, seq: place.seq };
}

/** The last place before a millisecond. */
function beforeMs(ms: number): StreamPlace {
  return ms <= 0 ? { ms: 0, seq: 0 } : placeBefore({ ms, seq: 0 });
}

/** Whether a filter leaves out more than test events, and what lies outside its receive times. */
function isSelective({ names, identity, environments, values, valueMin, valueMax, properties }: EventFilter): boolean {
  const lists = names.length + environments.length + values.length + properties.size;
  return lists > 0 || identity !== undefined || valueMin !== undefined || valueMax !== undefined;
}
