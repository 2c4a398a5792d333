import type { Position } from "./cursor.ts";
import { callLimits } from "./event.ts";
import { readEventText } from "./event-text.ts";
import type { Reader } from "./page-query.ts";
import { invalidFilter, pageScope, toPageSize, toSet } from "./page-query.ts";
import type { PageTokens } from "./page-token.ts";
import type { EventLog, ReadRange, StoredEvent } from "./ports.ts";

/** Which events to list, and how. */
export interface ListQuery {
  /** Any of them; empty: every name. */
  readonly names: readonly string[];
  readonly includeTest: boolean;
  readonly order: ReadRange["order"];
  /** As the client gave it: 0 for the default, too much for the most. */
  readonly pageSize: number;
  /** Empty for the first page. */
  readonly pageToken: string;
}

/** One page of events, as they are stored. */
export interface EventPage {
  readonly events: readonly StoredEvent[];
  /** Empty on the last page, and only there. */
  readonly nextPageToken: string;
}

/**
 * The read path: one page of a project's events, of those that the caller's environments let it see. Throws
 * FILTER_INVALID, PAGE_TOKEN_INVALID, CURSOR_EXPIRED.
 */
export type ListEvents = (caller: Reader, query: ListQuery) => Promise<EventPage>;

/** How many entries one call looks at when its filter lets few through; it then hands back what it found. */
const scanMax = 10_000;

/** What an event's answer holds beside its own bytes: cursor, receive time, entrance, framing. */
const addedBytes = 80;

export function createListEvents(log: EventLog, pageTokens: PageTokens): ListEvents {
  return async (caller, query) => {
    const pageSize = toPageSize(query.pageSize);
    checkNames(query.names);
    const scope = pageScope("ListEvents", caller, query.order, query.includeTest, toSet(query.names));
    const isFiltered = query.names.length > 0 || caller.environments.length > 0;
    const matches = createMatcher(caller, query);
    const events: StoredEvent[] = [];
    let after: Position | undefined = query.pageToken === "" ? undefined : pageTokens.open(scope, query.pageToken);
    let scanned = 0;
    let bytes = 0;

    while (scanned < scanMax) {
      // One more than fits, to tell a full last page from one that others follow.
      const wanted = isFiltered ? scanMax : pageSize - events.length + 1;
      const countMax = Math.min(wanted, scanMax - scanned);
      const slice = await log.read(caller.project, { order: query.order, countMax, ...(after && { after }) });
      for (const event of slice.events) {
        const isMatch = matches(event);
        const isFull = events.length === pageSize || bytes + event.bytes.length + addedBytes > callLimits.pageBytes;
        if (isMatch && events.length > 0 && isFull) return page(scope, events, after);
        after = event.position;
        scanned++;
        if (!isMatch) continue;
        events.push(event);
        bytes += event.bytes.length + addedBytes;
      }
      if (slice.isEnd) return { events, nextPageToken: "" };
    }
    return page(scope, events, after);
  };

  function page(scope: string, events: readonly StoredEvent[], after: Position | undefined): EventPage {
    return { events, nextPageToken: after === undefined ? "" : pageTokens.seal(scope, after) };
  }
}

function createMatcher({ environments }: Reader, { names, includeTest }: ListQuery): (event: StoredEvent) => boolean {
  const isNameWanted = among(names);
  const isEnvironmentWanted = among(environments);
  return ({ isTest, bytes }) =>
    (includeTest || !isTest) &&
    (isNameWanted === undefined || isNameWanted(readEventText(bytes, "name"))) &&
    (isEnvironmentWanted === undefined || isEnvironmentWanted(readEventText(bytes, "environment")));
}

/** Undefined when there is nothing to be among: anything is wanted then. */
function among(wanted: readonly string[]): ((text: string) => boolean) | undefined {
  if (wanted.length === 0) return undefined;
  const texts = new Set(wanted);
  return (text) => texts.has(text);
}

function checkNames(names: readonly string[]): void {
  if (names.length > callLimits.filterNames)
    throw invalidFilter("filter.names", `has more than ${callLimits.filterNames}`);
  for (const [i, name] of names.entries()) {
    if (name === "" || [...name].length > 256)
      throw invalidFilter(`filter.names[${i}]`, "is not 1 to 256 characters long");
  }
}
