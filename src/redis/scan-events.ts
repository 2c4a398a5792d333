import type { Redis } from "ioredis";
import type { ReadRange, StoredEvent } from "../domain/ports.ts";
import type { Project } from "../domain/project.ts";
import { type DataSet, dataSetFields, readDataSet } from "./data-set.ts";
import { toStoredEvent } from "./entry.ts";
import { createEntrySizes } from "./entry-sizes.ts";
import { projectKeys } from "./keys.ts";
import { createOldestPlaces } from "./oldest-places.ts";
import type { RangeConnection } from "./range-connection.ts";
import { loadScript } from "./scripts.ts";
import { parseStreamId, type StreamPlace, toStreamId } from "./stream-place.ts";
import { isEmpty, type StreamSpan, toRangeArgs } from "./stream-span.ts";

/** Events that follow one another in a span. */
export interface ScannedEvents {
  readonly dataSet: DataSet;
  readonly events: readonly StoredEvent[];
  /** Whether the span holds no more. */
  readonly isEnd: boolean;
}

/** Reads a span of a project's stream, no more of it than one command should. Rejects as ioredis does. */
export type ScanEvents = (
  project: Project,
  span: StreamSpan,
  range: Pick<ReadRange, "order" | "countMax">,
) => Promise<ScannedEvents>;

export function createScanEvents(redis: Redis, ranges?: RangeConnection): ScanEvents {
  const scanBack = loadScript(redis, "scan-back", 2);
  const oldestPlaces = createOldestPlaces();
  const sizes = createEntrySizes();

  /** From the end of the stream, or oldest first: there XRANGE finds its place at once. */
  async function readRange(
    project: Project,
    span: StreamSpan,
    order: ReadRange["order"],
    count: number,
  ): Promise<Read> {
    const keys = projectKeys(project.name);
    const [start, end] = toRangeArgs(span);
    const isBack = order === "newest-first";
    // Behind the events, the meta hash tells of all that was trimmed before they were read.
    const replies = await ranges?.send([
      [isBack ? "XREVRANGE" : "XRANGE", keys.events, ...(isBack ? [end, start] : [start, end]), "COUNT", count],
      ["HMGET", keys.meta, ...dataSetFields],
    ]);
    if (replies !== undefined) {
      const [entries, fields] = replies;
      if (!isArray(entries) || !isArray(fields)) throw unknownReply();
      return { dataSet: readDataSet(fields.map((field) => (Buffer.isBuffer(field) ? field : null))), entries };
    }
    const [entries, fields] = await Promise.all([
      isBack
        ? redis.xrevrangeBuffer(keys.events, end, start, "COUNT", count)
        : redis.xrangeBuffer(keys.events, start, end, "COUNT", count),
      redis.hmget(keys.meta, ...dataSetFields),
    ]);
    return { dataSet: readDataSet(fields), entries };
  }

  async function readBack(project: Project, low: StreamPlace, high: StreamPlace, count: number): Promise<Read> {
    const keys = projectKeys(project.name);
    const reply = await scanBack([keys.events, keys.meta], [toStreamId(high), toStreamId(low), count]);
    const [epoch, trimmed, version, oldest, entries] = Array.isArray(reply) ? reply : [];
    if (!Buffer.isBuffer(oldest)) throw new Error("scan-back.lua gave an unknown reply");
    if (oldest.length > 0) oldestPlaces.learn(project, parseStreamId(oldest.toString("latin1")));
    return { dataSet: readDataSet([epoch, trimmed, version]), entries };
  }

  async function readDataSetOf({ name }: Project): Promise<DataSet> {
    return readDataSet(await redis.hmget(projectKeys(name).meta, ...dataSetFields));
  }

  return async (project, span, { order, countMax }) => {
    const count = sizes.countFor(project, countMax);
    const { low, high } = span;
    if (isEmpty(span)) return { dataSet: await readDataSetOf(project), events: [], isEnd: true };
    const isBack = order === "newest-first" && high !== undefined && !oldestPlaces.isBefore(project, high);
    const read = await (isBack ? readBack(project, low, high, count) : readRange(project, span, order, count));
    const events = toStoredEvents(read);
    sizes.learn(project, events);
    return { dataSet: read.dataSet, events, isEnd: events.length < count };
  };
}

interface Read {
  readonly dataSet: DataSet;
  /** As Redis sends them: an id, and a list of field and value. */
  readonly entries: readonly unknown[];
}

function toStoredEvents({ dataSet, entries }: Read): StoredEvent[] {
  const epoch = dataSet.epoch ?? "";
  return entries.map((entry) => {
    if (!isArray(entry) || !Buffer.isBuffer(entry[0]) || !isArray(entry[1])) throw unknownReply();
    return toStoredEvent(epoch, entry[0], entry[1]);
  });
}

function isArray(reply: unknown): reply is readonly unknown[] {
  return Array.isArray(reply);
}

function unknownReply(): Error {
  return new Error("Redis gave an unknown reply to a range");
}
