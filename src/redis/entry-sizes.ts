import type { StoredEvent } from "../domain/ports.ts";
import type { Project } from "../domain/project.ts";

/** Learns how large a project's entries are, since Redis can only be told how many to send. */
export interface EntrySizes {
  /** How many entries to ask for, of those that are wanted. */
  countFor(project: Project, wanted: number): number;
  learn(project: Project, events: readonly StoredEvent[]): void;
}

/** What is asked for at a time at most, in entries: it holds Redis well below a millisecond. */
const entriesMax = 1000;

/** And in bytes, as far as is known. */
const bytesAim = 4 << 20;

/** Entries to ask for while nothing is known of a project's sizes: 80 MB at the very worst. */
const entriesAtFirst = 100;

export function createEntrySizes(): EntrySizes {
  const entryBytes = new Map<string, number>();
  return {
    countFor({ name }, wanted) {
      const bytes = entryBytes.get(name);
      const count = bytes === undefined ? entriesAtFirst : Math.floor(bytesAim / bytes);
      return Math.max(1, Math.min(wanted, count, entriesMax));
    },
    learn({ name }, events) {
      if (events.length === 0) return;
      const sum = events.reduce((bytes, event) => bytes + event.bytes.length, 0);
      if (entryBytes.size >= 10_000) entryBytes.clear();
      entryBytes.set(name, Math.max(1, sum / events.length));
    },
  };
}
