import type { Position } from "./cursor.ts";
import { parseCursor } from "./cursor.ts";
import { type ErrorReason, SluiceError } from "./errors.ts";
import { callLimits } from "./event.ts";
import type { EventFilter } from "./event-filter.ts";
import { invalidFilter } from "./page-query.ts";
import type { Clock, EventLog, ReadSlice } from "./ports.ts";
import type { Project } from "./project.ts";

/** Reads on and on for one tail, and waits where there is nothing, or storage is away. */
export interface TailReader {
  /**
   * Where the tail begins: behind a cursor, or, when that is empty, where the log says. Waits for storage. Throws
   * FILTER_INVALID, CURSOR_EXPIRED, STORAGE_FULL, and the signal's reason.
   */
  start(afterCursor: string, fromMs: number | undefined): Promise<Position>;
  /**
   * What is behind a position: the log may leave out what does not match. An empty slice, which is the end, when there is
   * nothing for so long, and as soon as it is known when storage is away. Throws CURSOR_EXPIRED, and the signal's reason.
   */
  read(after: Position, filter: EventFilter, waitMs: number): Promise<ReadSlice>;
}

export interface TailReaderOptions {
  readonly log: Pick<EventLog, "read" | "readLive" | "startOfTail">;
  readonly clock: Clock;
  readonly project: Project;
  /** Ends every wait; its reason is a SluiceError. */
  readonly signal: AbortSignal;
}

/** How long to wait until storage is asked again: twice as long each time, up to the most. */
const outageFirstMs = 200;
const outageMostMs = 1000;

/** What a tail waits out. */
const passing: ReadonlySet<ErrorReason> = new Set(["STORAGE_UNAVAILABLE", "OVERLOADED"]);

/** After so many live slices with more behind them, a tail lags: it looks its events up then, if an index has them. */
const lagSlices = 10;

export function createTailReader({ log, clock, project, signal }: TailReaderOptions): TailReader {
  let outageMs = outageFirstMs;
  let isLive = false;
  /** How many live slices in a row had more behind them. */
  let lag = 0;

  /** What the log answers; undefined when it is away, after a wait. */
  async function ask<T>(question: () => Promise<T>, waitMs: number): Promise<T | undefined> {
    try {
      signal.throwIfAborted();
      const answer = await question();
      signal.throwIfAborted();
      outageMs = outageFirstMs;
      return answer;
    } catch (thrown) {
      if (!(thrown instanceof SluiceError) || !passing.has(thrown.reason)) throw thrown;
      await clock.wait(Math.min(outageMs, waitMs), signal);
      outageMs = Math.min(2 * outageMs, outageMostMs);
      signal.throwIfAborted();
      return undefined;
    }
  }

  /** A cursor of ours may still be of a data set that is gone, or point before what is kept: reading tells. */
  async function checkPosition(position: Position): Promise<Position> {
    await log.read(project, { order: "oldest-first", after: position, countMax: 1 });
    return position;
  }

  function readSlice(after: Position, filter: EventFilter, waitMs: number): Promise<ReadSlice> {
    // Whoever has to look at every event does best with what is read for all.
    if (isLive || !hasIndex(filter, project)) return log.readLive(project, after, { waitMs, signal });
    const countMax = callLimits.pageSizeMax;
    return log.read(project, { order: "oldest-first", after, filter, countMax, searchFor: "tail", signal });
  }

  return {
    async start(afterCursor, fromMs) {
      const given = afterCursor === "" ? undefined : parseCursor(afterCursor);
      if (given === undefined && afterCursor !== "") throw invalidFilter("after_cursor", "is no cursor");
      isLive = given === undefined && fromMs === undefined;
      const find = () => (given === undefined ? log.startOfTail(project, fromMs) : checkPosition(given));
      for (;;) {
        const position = await ask(find, Number.POSITIVE_INFINITY);
        if (position !== undefined) return position;
      }
    },

    async read(after, filter, waitMs) {
      const slice = await ask(() => readSlice(after, filter, waitMs), waitMs);
      if (slice === undefined) return { events: [], scannedCount: 0, isEnd: true };
      lag = isLive && !slice.isEnd ? lag + 1 : 0;
      isLive = isLive ? lag < lagSlices : slice.isEnd;
      return slice;
    },
  };
}

/** Whether what a filter lets through can be looked up, in all or some of a project's events. */
function hasIndex({ names, identity, properties }: EventFilter, { settings }: Project): boolean {
  return names.length > 0 || identity !== undefined || settings.indexedProperties.some((name) => properties.has(name));
}
