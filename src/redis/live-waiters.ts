import { setImmediate as nextTurn } from "node:timers/promises";
import type { Position } from "../domain/cursor.ts";
import { isBefore } from "../domain/cursor.ts";
import type { ReadSlice, WaitOptions } from "../domain/ports.ts";

/** What a tail gets that waited in vain. */
export const nothing: ReadSlice = Object.freeze({ events: Object.freeze([]), scannedCount: 0, isEnd: true });

/** The tails that wait for a project's next events. */
export interface LiveWaiters {
  count(): number;
  /**
   * Resolves with what is given, or with nothing as soon as the time is up or the signal aborted. The time begins once a
   * read that is under way has resolved, if there is one: what that brings costs no waiting.
   */
  wait(after: Position, options: WaitOptions, reading?: Promise<void>): Promise<ReadSlice | undefined>;
  /**
   * Hands a slice, of one event at least, to all who wait now and for whom it is news; to each only what is behind its
   * position. To so many at a time as look through it in some milliseconds. Resolves with the number of those it woke.
   */
  give(slice: ReadSlice): Promise<number>;
  /** Ends every wait: with this slice, or, given none, without an answer. */
  release(slice?: ReadSlice): void;
}

interface Waiter {
  readonly after: Position;
  settle(slice: ReadSlice | undefined): void;
}

/** How many events are handed out in one turn of the event loop, those of each tail counted: 2 to 5 ms of looking at them. */
const handedOutMax = 50_000;

/** What it costs to wake a tail, in events that are looked at. */
const wakeCost = 200;

export function createLiveWaiters(): LiveWaiters {
  const waiters = new Set<Waiter>();

  return {
    count: () => waiters.size,
    wait(after, { waitMs, signal }, reading) {
      if (signal.aborted) return Promise.resolve(nothing);
      return new Promise((resolve) => {
        const settle = (slice: ReadSlice | undefined) => {
          waiters.delete(waiter);
          clearTimeout(timer);
          signal.removeEventListener("abort", leave);
          resolve(slice);
        };
        const leave = () => settle(nothing);
        const waiter = { after, settle };
        let timer: NodeJS.Timeout | undefined;
        const startTimer = () => {
          if (waiters.has(waiter)) timer = setTimeout(leave, waitMs);
        };
        signal.addEventListener("abort", leave);
        waiters.add(waiter);
        if (reading === undefined) startTimer();
        else void reading.then(startTimer);
      });
    },
    async give(slice) {
      let wokenCount = 0;
      let handedOut = 0;
      for (const waiter of [...waiters]) {
        if (handedOut >= handedOutMax) {
          await nextTurn();
          handedOut = 0;
        }
        if (!waiters.has(waiter)) continue;
        const news = newsOf(slice, waiter.after);
        if (news.events.length === 0) continue;
        waiter.settle(news);
        wokenCount++;
        handedOut += news.events.length + wakeCost;
      }
      return wokenCount;
    },
    release(slice) {
      for (const { settle } of waiters) settle(slice);
    },
  };
}

/** What of a slice is behind a position. Nearly all wait at the same one, and share the slice. */
export function newsOf(slice: ReadSlice, after: Position): ReadSlice {
  const [first] = slice.events;
  if (first !== undefined && isBefore(after, first.position)) return slice;
  return { ...slice, events: slice.events.filter(({ position }) => isBefore(after, position)) };
}
