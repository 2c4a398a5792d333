import type { Redis } from "ioredis";
import type { Position } from "../domain/cursor.ts";
import { SluiceError } from "../domain/errors.ts";
import type { EventFilter } from "../domain/event-filter.ts";
import type { EventLog, ReadRange, ReadSlice, StoredEvent } from "../domain/ports.ts";
import type { Project } from "../domain/project.ts";
import { checkPosition, type DataSet, makeEpoch, readDataSet } from "./data-set.ts";
import { toStoredEvent } from "./entry.ts";
import { planLookups } from "./index-lookup.ts";
import { projectKeys } from "./keys.ts";
import { createLookUpEvents } from "./look-up-events.ts";
import { createReadById } from "./read-by-id.ts";
import { createReadEntries } from "./read-entries.ts";
import { createReadIndex } from "./read-index.ts";
import { createScanEvents } from "./scan-events.ts";
import { createSegments } from "./segments.ts";
import { toReadError } from "./storage-error.ts";
import { comparePlaces, parseStreamId, placeBefore, type StreamPlace, toStreamId } from "./stream-place.ts";
import { endOf, intersect, type StreamSpan, spanBehind, toSpan, wholeStream } from "./stream-span.ts";
import { createTurns } from "./turns.ts";

/** Reads events from a project's stream. */
export interface ReadEvents extends Pick<EventLog, "read" | "readAt" | "readById" | "startOfTail"> {
  /** The event at a position, if it is there. Rejects as ioredis does. */
  readEntry(project: Project, position: Position): Promise<StoredEvent | undefined>;
}

/** Scans at a time: they would have everyone else wait for all of them otherwise, at Redis and in this process. */
const scansAtOnce = 1;

/** What one step of a scan looks at: about a millisecond of this process. */
const scanStep = 250;

export function createReadEvents(redis: Redis): ReadEvents {
  const scan = createScanEvents(redis);
  const readEntries = createReadEntries(redis);
  const lookUp = createLookUpEvents({
    segments: createSegments(redis),
    readIndex: createReadIndex(redis),
    readEntries,
  });
  const readById = createReadById(redis);
  const turns = createTurns(scansAtOnce);

  async function read(project: Project, range: ReadRange): Promise<ReadSlice> {
    const lookups = range.filter === undefined ? [] : planLookups(range.filter);
    let span = toSpan(range);
    if (lookups.length === 0) return readSpan(project, span, range);
    for (;;) {
      const found = await lookUp(project, lookups, span, range);
      if (found.kind === "found") {
        const { dataSet, events, reached, scannedCount, isEnd } = found;
        if (dataSet !== undefined) await check(project, dataSet, range.after);
        return { events, reached: toPosition(dataSet?.epoch, reached), scannedCount, isEnd };
      }
      const slice = await readSpan(project, found.span, range);
      const end = endOf(found.span, range.order);
      // As a rule there is nothing in front of the first segment.
      const isPassed = slice.isEnd && slice.events.length === 0 && end !== undefined && !found.isLast;
      if (!isPassed) return { ...slice, isEnd: slice.isEnd && found.isLast };
      span = intersect(span, spanBehind(end, range.order));
    }
  }

  /** Reads what comes first in a span. */
  async function readSpan(project: Project, span: StreamSpan, range: ReadRange): Promise<ReadSlice> {
    const { order, after, filter } = range;
    const isSifted = filter !== undefined && isSelective(filter);
    const countMax = isSifted ? Math.min(range.countMax, scanStep) : range.countMax;
    const scanOnce = () => scan(project, span, { order, countMax });
    const { dataSet, events, isEnd } = await (isSifted ? turns.take(scanOnce) : scanOnce());
    await check(project, dataSet, after);
    const end = isEnd ? toPosition(dataSet.epoch, endOf(span, order)) : undefined;
    return { events, reached: end ?? events.at(-1)?.position, scannedCount: events.length, isEnd };
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
    const [newest, [storedEpoch, trimmed]] = await Promise.all([
      redis.xrevrangeBuffer(keys.events, "+", "-", "COUNT", 1),
      redis.hmget(keys.meta, "epoch", "trimmed"),
    ]);
    const epoch = storedEpoch ?? (await nameDataSet(keys.meta));
    const start = fromMs === undefined ? parseStreamId(newest[0]?.[0].toString("latin1") ?? "0-0") : beforeMs(fromMs);
    const end = readDataSet(epoch, trimmed ?? null).trimmed;
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
