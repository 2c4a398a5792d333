import type { Redis } from "ioredis";
import type { StoredEvent } from "../domain/ports.ts";
import type { Project } from "../domain/project.ts";
import { type DataSet, readDataSet } from "./data-set.ts";
import { toStoredEvent } from "./entry.ts";
import { projectKeys } from "./keys.ts";
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

export function createReadEntries(redis: Redis): ReadEntriesAt {
  const script = loadScript(redis, "read-entries", 2);

  async function readPart({ name }: Project, places: readonly StreamPlace[]): Promise<ReadEntries> {
    const keys = projectKeys(name);
    const reply = await script([keys.events, keys.meta], [bytesMax, ...places.map(toStreamId)]);
    const [epoch, trimmed, version, placeCount, ...fields] = Array.isArray(reply) ? reply : [];
    if (typeof placeCount !== "number") throw new Error("read-entries.lua gave an unknown reply");
    const dataSet = readDataSet([epoch, trimmed, version]);
    const events: StoredEvent[] = [];
    for (let i = 0; i < fields.length; i += 3) {
      events.push(toStoredEvent(dataSet.epoch ?? "", fields[i], [fields[i + 1], fields[i + 2]]));
    }
    return { dataSet, events, placeCount };
  }

  return async (project, places) => {
    const parts: Promise<ReadEntries>[] = [];
    for (let i = 0; i < places.length; i += placesMax) parts.push(readPart(project, places.slice(i, i + placesMax)));
    const [first, ...others] = await Promise.all(parts);
    if (first === undefined) throw new Error("no place to read");
    let { placeCount } = first;
    const events = [...first.events];
    for (const part of others) {
      // What is behind a part that was not read to its end is read another time.
      if (placeCount % placesMax !== 0) break;
      events.push(...part.events);
      placeCount += part.placeCount;
    }
    // The last part was read last, and so knows of everything that was trimmed meanwhile.
    return { dataSet: (others.at(-1) ?? first).dataSet, events, placeCount };
  };
}
