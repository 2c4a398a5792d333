import { answerBytes } from "./answer-bytes.ts";
import { watchCallEnd } from "./call-end.ts";
import type { Position } from "./cursor.ts";
import { callLimits } from "./event.ts";
import type { EventFilter, FilterQuery } from "./event-filter.ts";
import { createMatcher } from "./match-event.ts";
import { narrowFilter } from "./narrow-filter.ts";
import { withOwnBytes } from "./own-bytes.ts";
import { invalidFilter } from "./page-query.ts";
import type { Clock, StoredEvent } from "./ports.ts";
import type { Caller } from "./project.ts";
import { isSameList } from "./same-list.ts";
import type { TailReader, TailReaderOptions } from "./tail-reader.ts";
import { createTailReader } from "./tail-reader.ts";

/** Which events to tail, and from where. */
export interface TailQuery {
  readonly filter: FilterQuery;
  /** Empty: from now on, or from the filter's receive time. */
  readonly afterCursor: string;
}

/** What a tail has come upon. */
export interface TailBatch {
  /** In order: 1,000 or 256 KiB at most, or a single one that is larger. None when nothing has matched for a while. */
  readonly events: readonly StoredEvent[];
  /** All that matches up to here has been handed out. Never before that of an earlier batch. */
  readonly reached: Position;
}

/**
 * A project's events as they are stored, of those that the caller's environments let it see, without end. Reads only
 * while the next batch is asked for. The first batch comes as soon as storage has answered, empty; each of the others
 * 15 s after it was asked for at the latest, empty if need be, also while storage is away.
 *
 * Ends by throwing: FILTER_INVALID, ENVIRONMENT_FORBIDDEN, CURSOR_EXPIRED, STORAGE_FULL when it cannot begin, and whatever
 * the look at the caller's key throws that comes before each batch; SHUTTING_DOWN, and CALL_ENDED or the reason of the
 * caller's signal, which end a wait at once. `return` ends it too, but waits for a batch that has been asked for.
 */
export type TailEvents = (caller: Caller, query: TailQuery) => AsyncGenerator<TailBatch, void, void>;

export interface TailEventsDeps {
  readonly log: TailReaderOptions["log"];
  readonly clock: Clock;
  /** Aborted when the server begins to shut down. */
  readonly shutdown: AbortSignal;
}

/** How long a tail waits for events: so much shorter than what is promised that it may end with a read that hangs. */
const silenceMs = callLimits.tailHeartbeatMs - 3000;

/** How long an event waits at most for others to go with it, while there are more to be looked at. */
const gatherMs = 1000;

export function createTailEvents({ log, clock, shutdown }: TailEventsDeps): TailEvents {
  return async function* tailEvents(caller, query) {
    if (query.filter.receivedUntilMs !== undefined) {
      throw invalidFilter("filter.receive_time_until", "is set, and a tail has no end");
    }
    let view = viewOf(caller, query.filter);
    const end = watchCallEnd(caller.signal, shutdown);
    const reader = createTailReader({ log, clock, project: caller.project, signal: end.signal });
    try {
      let reached = await reader.start(query.afterCursor, query.filter.receivedFromMs);
      caller.recheckKey();
      yield { events: [], reached };
      let askedMs = clock.nowMs();
      for (;;) {
        const batch = await gatherBatch(reader, view, reached, askedMs);
        caller.recheckKey();
        if (!isSameList(view.environments, caller.environments)) {
          // What was gathered is what the key could read before.
          view = viewOf(caller, query.filter);
          continue;
        }
        reached = batch.reached;
        yield batch;
        askedMs = clock.nowMs();
      }
    } finally {
      end.release();
    }
  };

  /** Gathers what matches until a batch is full, or there is no more for now, or it is time for one. */
  async function gatherBatch(reader: TailReader, view: View, after: Position, askedMs: number): Promise<TailBatch> {
    const events: StoredEvent[] = [];
    let reached = after;
    let bytes = 0;
    for (;;) {
      const passedMs = clock.nowMs() - askedMs;
      const leftMs = silenceMs - passedMs;
      // A clock that was set back tells nothing any more.
      const isDue = leftMs <= 0 || passedMs < 0 || (events.length > 0 && passedMs >= gatherMs);
      if (isDue) return { events, reached };
      const slice = await reader.read(reached, view.filter, events.length > 0 ? 0 : leftMs);
      for (const event of slice.events) {
        if (view.matches(event)) {
          const size = answerBytes(event);
          // The rest of the slice is read again: so a tail whose reader is slow keeps nothing but its batch.
          const isFull = events.length === callLimits.pageSizeMax || bytes + size > callLimits.tailBatchBytes;
          if (events.length > 0 && isFull) return { events, reached };
          events.push(withOwnBytes(event));
          bytes += size;
        }
        reached = event.position;
      }
      reached = slice.reached ?? reached;
      if (events.length === callLimits.pageSizeMax || (slice.isEnd && events.length > 0)) return { events, reached };
    }
  }
}

/** What a caller sees of a project's events, as long as its key is bound to these environments. */
interface View {
  readonly environments: readonly string[];
  readonly filter: EventFilter;
  readonly matches: (event: StoredEvent) => boolean;
}

function viewOf(caller: Caller, query: FilterQuery): View {
  const filter = narrowFilter(query, caller);
  return { environments: caller.environments, filter, matches: createMatcher(filter) };
}
