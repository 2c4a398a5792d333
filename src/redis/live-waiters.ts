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
  /** Hands a slice, of one event at least, to all for whom it is news; to each only what is behind its position. */
  give(slice: ReadSlice): void;
  /** Ends every wait: with this slice, or, given none, without an answer. */
  release(slice?: ReadSlice): void;
}

interface Waiter {
  readonly after: Position;
  settle(slice: ReadSlice | undefined): void;
}

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
    give(slice) {
      for (const { after, settle } of waiters) {
        const news = newsOf(slice, after);
        if (news.events.length > 0) settle(news);
      }
    },
    release(slice) {
      for (const { settle } of waiters) settle(slice);
    },
  };
}

/** Nearly all wait at the same position, and share the slice. */
function newsOf(slice: ReadSlice, after: Position): ReadSlice {
  const [first] = slice.events;
  if (first !== undefined && isBefore(after, first.position)) return slice;
  return { ...slice, events: slice.events.filter(({ position }) => isBefore(after, position)) };
}
