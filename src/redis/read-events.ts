import type { Redis } from "ioredis";
import type { Position } from "../domain/cursor.ts";
import { SluiceError } from "../domain/errors.ts";
import type { EventLog, ReadRange, ReadSlice, StoredEvent } from "../domain/ports.ts";
import type { Project } from "../domain/project.ts";
import { parseEntry } from "./entry.ts";
import { projectKeys } from "./keys.ts";
import { toReadError } from "./storage-error.ts";

/** Reads events from a project's stream. */
export interface ReadEvents {
  readonly read: EventLog["read"];
  /** The event at a position, if it is there. Rejects as ioredis does. */
  readAt(project: Project, position: Position): Promise<StoredEvent | undefined>;
}

/** What one command reads at most, in entries: it then holds Redis well below a millisecond. */
const entriesMax = 1000;

/** What one command should read at most, in bytes. */
const bytesAim = 4 << 20;

/** Entries to read while nothing is known of a project's sizes: 80 MB at the very worst. */
const entriesAtFirst = 100;

export function createReadEvents(redis: Redis): ReadEvents {
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

  async function read(project: Project, { order, after, countMax }: ReadRange): Promise<ReadSlice> {
    const keys = projectKeys(project.name);
    const count = countFor(project, countMax);
    const bound = after === undefined ? undefined : `(${after.ms}-${after.seq}`;
    let replies: [string | null, [Buffer, Buffer[]][]];
    try {
      replies = await Promise.all([
        redis.hget(keys.meta, "epoch"),
        order === "newest-first"
          ? redis.xrevrangeBuffer(keys.events, bound ?? "+", "-", "COUNT", count)
          : redis.xrangeBuffer(keys.events, bound ?? "-", "+", "COUNT", count),
      ]);
    } catch (thrown) {
      throw toReadError(thrown);
    }
    const [epoch, entries] = replies;
    if (after !== undefined && after.epoch !== epoch) {
      throw new SluiceError("CURSOR_EXPIRED", "the position is of a data set that is gone");
    }
    if (epoch === null) return { events: [], isEnd: true };
    const events = entries.map(([id, fields]) => toStoredEvent(epoch, id, fields));
    learnSizes(project, events);
    return { events, isEnd: entries.length < count };
  }

  async function readAt(project: Project, position: Position): Promise<StoredEvent | undefined> {
    const id = `${position.ms}-${position.seq}`;
    const [entry] = await redis.xrangeBuffer(projectKeys(project.name).events, id, id);
    return entry === undefined ? undefined : toStoredEvent(position.epoch, ...entry);
  }

  return { read, readAt };
}

function toStoredEvent(epoch: string, id: Buffer, fields: Buffer[]): StoredEvent {
  const text = id.toString("latin1");
  const dash = text.indexOf("-");
  const position = { epoch, ms: Number(text.slice(0, dash)), seq: Number(text.slice(dash + 1)) };
  return { position, ...parseEntry(fields) };
}
