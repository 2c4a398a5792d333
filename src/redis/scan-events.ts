import type { Redis } from "ioredis";
import type { ReadRange, StoredEvent } from "../domain/ports.ts";
import type { Project } from "../domain/project.ts";
import { type DataSet, readDataSet } from "./data-set.ts";
import { toStoredEvent } from "./entry.ts";
import { projectKeys } from "./keys.ts";
import { type StreamSpan, toRangeArgs } from "./stream-span.ts";

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

/** What one command reads at most, in entries: it then holds Redis well below a millisecond. */
const entriesMax = 1000;

/** What one command should read at most, in bytes. */
const bytesAim = 4 << 20;

/** Entries to read while nothing is known of a project's sizes: 80 MB at the very worst. */
const entriesAtFirst = 100;

export function createScanEvents(redis: Redis): ScanEvents {
  // How large entries are is learned from the last read, since XRANGE can only be told a count.
  const entryBytes = new Map<string, number>();

  function countFor(project: Project, wanted: number): number {
    const bytes = entryBytes.get(project.name);
    const count = bytes === undefined ? entriesAtFirst : Math.floor(bytesAim / bytes);
    return Math.max(1, Math.min(wanted, count, entriesMax));
  }

  function learnSizes(project: Project, events: readonly StoredEvent[]): void {
    if (events.length === 0) return;
    const sum = events.reduce((bytes, event) => bytes + event.bytes.length, 0);
    if (entryBytes.size >= 10_000) entryBytes.clear();
    entryBytes.set(project.name, Math.max(1, sum / events.length));
  }

  return async (project, span, { order, countMax }) => {
    const keys = projectKeys(project.name);
    const count = countFor(project, countMax);
    const [start, end] = toRangeArgs(span);
    const [entries, [epoch, trimmed]] = await Promise.all([
      order === "newest-first"
        ? redis.xrevrangeBuffer(keys.events, end, start, "COUNT", count)
        : redis.xrangeBuffer(keys.events, start, end, "COUNT", count),
      // Behind the events, so that it tells of all that was trimmed before they were read.
      redis.hmget(keys.meta, "epoch", "trimmed"),
    ]);
    const dataSet = readDataSet(epoch ?? null, trimmed ?? null);
    const events = entries.map(([id, fields]) => toStoredEvent(dataSet.epoch ?? "", id, fields));
    learnSizes(project, events);
    return { dataSet, events, isEnd: entries.length < count };
  };
}
