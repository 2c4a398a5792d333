import type { Position } from "../domain/cursor.ts";
import { isBefore } from "../domain/cursor.ts";
import type { StoredEvent } from "../domain/ports.ts";

/** The last events that were read of one project: every one that is between two positions of the stream. */
export interface RecentEvents {
  /** Takes in the events that follow, and lets the oldest go when they are too many. */
  add(events: readonly StoredEvent[]): void;
  /** Those behind a position, 1,000 at most; undefined when not all of them are here, or there are none. */
  after(position: Position): readonly StoredEvent[] | undefined;
  /** Forgets them all; what is added next follows this position. */
  restart(from: Position): void;
  /** How much they may take in memory from now on, in bytes. */
  limit(bytesMax: number): void;
}

/** Some seconds of a busy project: so long a tail may lag before it has to read for itself. */
const countMax = 10_000;

/** What is given at a time: so much a tail looks at in a fraction of a millisecond. */
const sliceMax = 1000;

/** What an event takes in memory beside its bytes, about. */
const overheadBytes = 300;

/** Those of a data set that follow this position; none yet. */
export function createRecentEvents(from: Position, bytesMax: number): RecentEvents {
  let events: readonly StoredEvent[] = [];
  let bytes = 0;

  function letGo(): void {
    let index = 0;
    for (let event = events[0]; event !== undefined; event = events[++index]) {
      if (bytes <= bytesMax && events.length - index <= countMax) break;
      bytes -= sizeOf(event);
      from = event.position;
    }
    if (index > 0) events = events.slice(index);
  }

  return {
    add(more) {
      events = [...events, ...more];
      for (const event of more) bytes += sizeOf(event);
      letGo();
    },
    after(position) {
      if (position.epoch !== from.epoch || isBefore(position, from)) return undefined;
      const index = firstAfter(events, position);
      return index === events.length ? undefined : events.slice(index, index + sliceMax);
    },
    restart(position) {
      from = position;
      events = [];
      bytes = 0;
    },
    limit(max) {
      bytesMax = max;
      letGo();
    },
  };
}

function sizeOf(event: StoredEvent): number {
  return event.bytes.length + overheadBytes;
}

/** Index of the first event behind a position; the count of events when there is none. */
function firstAfter(events: readonly StoredEvent[], position: Position): number {
  let low = 0;
  let high = events.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const event = events[middle];
    if (event !== undefined && isBefore(position, event.position)) high = middle;
    else low = middle + 1;
  }
  return low;
}
