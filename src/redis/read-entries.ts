import type { Redis } from "ioredis";
import type { StoredEvent } from "../domain/ports.ts";
import type { Project } from "../domain/project.ts";
import { type DataSet, dataSetFields, readDataSet } from "./data-set.ts";
import { toStoredEvent } from "./entry.ts";
import { createEntrySizes } from "./entry-sizes.ts";
import { projectKeys } from "./keys.ts";
import type { RangeConnection } from "./range-connection.ts";
import { loadScript } from "./scripts.ts";
import { type StreamPlace, toStreamId } from "./stream-place.ts";

/** Entries that were read by their places. */
export interface ReadEntries {
  readonly dataSet: DataSet;
  /** Those that are there. */
  readonly events: readonly StoredEvent[];
  /** How many of the places were looked at: fewer when the entries are large. */
  readonly placeCount: number;
}

/** What one script call reads at most: it holds Redis for about a millisecond then. */
const placesMax = 250;
const bytesMax = 1 << 20;

/** Reads entries by their places, from the first on. Rejects as ioredis does. */
export type ReadEntriesAt = (project: Project, places: readonly StreamPlace[]) => Promise<ReadEntries>;

export function createReadEntries(redis: Redis, ranges?: RangeConnection): ReadEntriesAt {
  const script = loadScript(redis, "read-entries", 2);
  const sizes = createEntrySizes();

  /** A command for each: Redis takes half as long for it as for a script that makes tables of them. */
  async function readEach(project: Project, places: readonly StreamPlace[]): Promise<ReadEntries | undefined> {
    const keys = projectKeys(project.name);
    const wanted = places.slice(0, sizes.countFor(project, places.length));
    const ids = wanted.map(toStreamId);
    // Last, so that it tells of all that was trimmed before.
    const meta = ["HMGET", keys.meta, ...dataSetFields];
    const replies = await ranges?.send([...ids.map((id) => ["XRANGE", keys.events, id, id]), meta]);
    if (replies === undefined) return undefined;
    const fields = replies.at(-1);
    if (!isArray(fields)) throw new Error("Redis gave an unknown reply to HMGET");
    const dataSet = readDataSet(fields.map((field) => (Buffer.isBuffer(field) ? field : null)));
    const events: StoredEvent[] = [];
    for (const reply of replies.slice(0, -1)) {
      const [entry] = isArray(reply) ? reply : [];
      if (!isArray(entry)) continue;
      const [id, pair] = entry;
      if (!Buffer.isBuffer(id) || !isArray(pair)) throw new Error("Redis gave an unknown reply to XRANGE");
      events.push(toStoredEvent(dataSet.epoch ?? "", id, pair));
    }
    sizes.learn(project, events);
    return { dataSet, events, placeCount: wanted.length };
  }

  async function readByScript({ name }: Project, places: readonly StreamPlace[]): Promise<ReadEntries> {
    const keys = projectKeys(name);
    const wanted = places.slice(0, placesMax);
    const reply = await script([keys.events, keys.meta], [bytesMax, ...wanted.map(toStreamId)]);
    const [epoch, trimmed, version, placeCount, ...fields] = Array.isArray(reply) ? reply : [];
    if (typeof placeCount !== "number") throw new Error("read-entries.lua gave an unknown reply");
    const dataSet = readDataSet([epoch, trimmed, version]);
    const events: StoredEvent[] = [];
    for (let i = 0; i < fields.length; i += 3) {
      events.push(toStoredEvent(dataSet.epoch ?? "", fields[i], [fields[i + 1], fields[i + 2]]));
    }
    return { dataSet, events, placeCount };
  }

  return async (project, places) => (await readEach(project, places)) ?? readByScript(project, places);
}

function isArray(reply: unknown): reply is readonly unknown[] {
  return Array.isArray(reply);
}
