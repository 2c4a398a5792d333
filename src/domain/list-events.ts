import { answerBytes } from "./answer-bytes.ts";
import { callEnded } from "./call-end.ts";
import type { Position } from "./cursor.ts";
import { SluiceError } from "./errors.ts";
import { callLimits } from "./event.ts";
import type { EventFilter, FilterQuery, PropertyScalar } from "./event-filter.ts";
import { createMatcher } from "./match-event.ts";
import { narrowFilter } from "./narrow-filter.ts";
import type { Reader } from "./page-query.ts";
import { pageScope, toPageSize, toSet } from "./page-query.ts";
import type { PageTokens } from "./page-token.ts";
import type { EventLog, ReadRange, StoredEvent } from "./ports.ts";

/** Which events to list, and how. */
export interface ListQuery {
  readonly filter: FilterQuery;
  readonly order: ReadRange["order"];
  /** As the client gave it: 0 for the default, too much for the most. */
  readonly pageSize: number;
  /** Empty for the first page. */
  readonly pageToken: string;
  /** Where the first page begins: behind this position, in the order. Default: at the order's beginning. */
  readonly after?: Position | undefined;
}

/** One page of events, as they are stored. */
export interface EventPage {
  readonly events: readonly StoredEvent[];
  /** Empty on the last page, and only there. */
  readonly nextPageToken: string;
}

/**
 * The read path: one page of a project's events, of those that the caller's environments let it see. Throws
 * FILTER_INVALID, ENVIRONMENT_FORBIDDEN, PAGE_TOKEN_INVALID, CURSOR_EXPIRED, STORAGE_UNAVAILABLE; CALL_ENDED, or the
 * reason of the caller's signal, once that is aborted.
 */
export type ListEvents = (caller: Reader, query: ListQuery) => Promise<EventPage>;

/** How many events one call looks at when its filter lets few through; it then hands back what it found. */
const scanMax = 10_000;

/** How many it reads at a time then. */
const sliceMax = 1000;

export function createListEvents(log: Pick<EventLog, "read">, pageTokens: PageTokens): ListEvents {
  return async (caller, { order, ...query }) => {
    const pageSize = toPageSize(query.pageSize);
    const filter = narrowFilter(query.filter, caller);
    const scope = pageScope("ListEvents", caller, order, ...filterScope(filter));
    const matches = createMatcher(filter);
    const { signal } = caller;
    const events: StoredEvent[] = [];
    let after: Position | undefined = query.pageToken === "" ? query.after : pageTokens.open(scope, query.pageToken);
    let bytes = 0;
    // One more than fits, to tell a full last page from one that others follow.
    let wanted = pageSize + 1;

    for (let scanned = 0; scanned < scanMax && events.length < pageSize; ) {
      if (signal?.aborted) throw callEnded(signal);
      const countMax = Math.min(wanted, scanMax - scanned);
      const isSearch = scanned > 0;
      const slice = await log
        .read(caller.project, { order, after, filter, countMax, searchFor: isSearch ? "call" : undefined, signal })
        .catch((thrown: unknown) => {
          if (!isSearch || !isExpiry(thrown)) throw thrown;
          return undefined;
        });
      // What was found before retention came this way is worth having; the token then tells what happened.
      if (slice === undefined) return page();
      const foundBefore = events.length;
      for (const event of slice.events) {
        if (matches(event)) {
          const size = answerBytes(event);
          const isFull = events.length === pageSize || (events.length > 0 && bytes + size > callLimits.pageBytes);
          if (isFull) return page();
          events.push(event);
          bytes += size;
        }
        after = event.position;
      }
      if (slice.isEnd) return { events, nextPageToken: "" };
      after = slice.reached ?? after;
      scanned += Math.max(1, slice.scannedCount);
      const isSifted = events.length - foundBefore < slice.events.length;
      wanted = isSifted ? Math.max(wanted, Math.min(2 * wanted, sliceMax)) : pageSize - events.length + 1;
    }
    return page();

    function page(): EventPage {
      return { events, nextPageToken: after === undefined ? "" : pageTokens.seal(scope, after) };
    }
  };
}

function isExpiry(thrown: unknown): boolean {
  return thrown instanceof SluiceError && thrown.reason === "CURSOR_EXPIRED";
}

/** Every part of a filter: the same for all filters that the same events match. */
function filterScope(filter: EventFilter): unknown[] {
  return [
    toSet(filter.names),
    filter.identity?.kind,
    filter.identity?.id,
    toSet(filter.environments),
    toSet(filter.values),
    filter.valueMin,
    filter.valueMax,
    [...filter.properties].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, scalars]) => [name, scalarScope(scalars)]),
    filter.receivedFromMs,
    filter.receivedUntilMs,
    filter.includeTest,
  ];
}

/** As JSON, since texts are not the numbers that they look like; one alone as itself, as earlier versions sealed it. */
function scalarScope(scalars: readonly PropertyScalar[]): unknown {
  const texts = toSet(scalars.map((scalar) => JSON.stringify(scalar)));
  return texts.length === 1 ? scalars[0] : texts;
}
