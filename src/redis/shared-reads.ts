import { setImmediate as nextTurn } from "node:timers/promises";
import { callEnded } from "../domain/call-end.ts";
import type { Position } from "../domain/cursor.ts";
import { isBefore } from "../domain/cursor.ts";
import { SluiceError } from "../domain/errors.ts";
import { withOwnBytes } from "../domain/own-bytes.ts";
import type { EventLog, ReadSlice } from "../domain/ports.ts";
import type { Project } from "../domain/project.ts";
import { projectKeys } from "./keys.ts";
import { newsOf, nothing } from "./live-waiters.ts";

/**
 * Reads what is behind a position, as a search for tails: one read of a project at a time, for all who ask for a part of
 * it. So tails that fell behind together, or come back to a server that was away, soon stand together, and go on together.
 * Events have bytes of their own. Throws as `read` does, and as a signal that is aborted says; OVERLOADED when others are
 * read for all the time.
 */
export type ReadShared = (project: Project, after: Position, signal: AbortSignal) => Promise<ReadSlice>;

/** One who waits for the events behind a position. */
interface Asker {
  readonly after: Position;
  readonly askedMs: number;
  give(slice: ReadSlice): void;
  fail(thrown: unknown): void;
}

/** How long one who asks waits for the reads of others: as long as a tail waits for its turn. */
const waitMsMax = 1000;

/** How many reads follow one another before others have their turn. */
const readsInRow = 20;

export function createSharedReads(read: EventLog["read"], countMax: number): ReadShared {
  const askersOf = new Map<string, Set<Asker>>();

  /**
   * Reads on where the last read ended, if anybody is there: whoever stands further ahead joins in when it gets there. Now
   * and then goes to whoever is furthest behind, who meets most, and to whoever has asked first, in turn.
   */
  async function run(project: Project, stream: string, askers: Set<Asker>): Promise<void> {
    let reached: Position | undefined;
    // Those who fall behind together ask together.
    await nextTurn();
    for (let readCount = 0; askers.size > 0; readCount++) {
      const next = readCount % readsInRow === 0 ? undefined : findAt(askers, reached);
      const [first] = askers;
      const isFirstDue = readCount % (2 * readsInRow) >= readsInRow;
      const from = (next ?? (isFirstDue ? first : findLast(askers)))?.after;
      if (from === undefined) break;
      reached = await readFor(project, from, askers);
      // Those who were given something come back by then.
      await nextTurn();
      failLate(askers);
    }
    askersOf.delete(stream);
  }

  /** Resolves with how far it came. */
  async function readFor(project: Project, from: Position, askers: Set<Asker>): Promise<Position | undefined> {
    try {
      const slice = await read(project, { order: "oldest-first", after: from, countMax, searchFor: "tail" });
      // They are handed to many: one copy serves all of them.
      const own = { ...slice, events: slice.events.map(withOwnBytes) };
      for (const asker of askers) {
        const part = partOf(own, from, asker.after);
        if (part !== undefined) asker.give(part);
      }
      return reachedBy(own);
    } catch (thrown) {
      for (const asker of askers) if (isForAll(thrown) || isSame(asker.after, from)) asker.fail(thrown);
      return undefined;
    }
  }

  return (project, after, signal) => {
    if (signal.aborted) return Promise.reject(callEnded(signal));
    const stream = projectKeys(project.name).events;
    const askers = askersOf.get(stream) ?? new Set();
    return new Promise((resolve, reject) => {
      const leave = (settle: () => void) => {
        askers.delete(asker);
        signal.removeEventListener("abort", end);
        settle();
      };
      const asker: Asker = {
        after,
        askedMs: performance.now(),
        give: (slice) => leave(() => resolve(slice)),
        fail: (thrown) => leave(() => reject(thrown)),
      };
      const end = () => asker.fail(callEnded(signal));
      signal.addEventListener("abort", end);
      askers.add(asker);
      if (askersOf.has(stream)) return;
      askersOf.set(stream, askers);
      void run(project, stream, askers);
    });
  };
}

function findAt(askers: ReadonlySet<Asker>, position: Position | undefined): Asker | undefined {
  if (position === undefined) return undefined;
  for (const asker of askers) if (isSame(asker.after, position)) return asker;
  return undefined;
}

/** Whoever is furthest behind. */
function findLast(askers: ReadonlySet<Asker>): Asker | undefined {
  let last: Asker | undefined;
  for (const asker of askers) if (last === undefined || isBefore(asker.after, last.after)) last = asker;
  return last;
}

function reachedBy({ reached, events }: ReadSlice): Position | undefined {
  return reached ?? events.at(-1)?.position;
}

function failLate(askers: Set<Asker>): void {
  for (const asker of askers) {
    if (performance.now() - asker.askedMs < waitMsMax) return;
    asker.fail(new SluiceError("OVERLOADED", "too many tails are behind at once"));
  }
}

/** What a slice that was read behind one position says of what is behind another; undefined when it says nothing. */
function partOf(slice: ReadSlice, from: Position, after: Position): ReadSlice | undefined {
  if (isSame(after, from)) return slice;
  if (after.epoch !== from.epoch || isBefore(after, from)) return undefined;
  const reached = reachedBy(slice);
  if (reached !== undefined && isBefore(after, reached)) return newsOf(slice, after);
  return slice.isEnd ? nothing : undefined;
}

/** Whether what one read failed for would fail the others too. */
function isForAll(thrown: unknown): boolean {
  return thrown instanceof SluiceError && (thrown.reason === "STORAGE_UNAVAILABLE" || thrown.reason === "OVERLOADED");
}

function isSame(a: Position, b: Position): boolean {
  return a.epoch === b.epoch && a.ms === b.ms && a.seq === b.seq;
}
