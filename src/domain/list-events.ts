import type { Position } from "./cursor.ts";
import { SluiceError } from "./errors.ts";
import { callLimits } from "./event.ts";
import { readEventName } from "./event-name.ts";
import type { PageTokens } from "./page-token.ts";
import type { EventLog, ReadRange, StoredEvent } from "./ports.ts";
import type { Project } from "./project.ts";

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

/** The read path: one page of a project's events. Throws FILTER_INVALID, PAGE_TOKEN_INVALID, CURSOR_EXPIRED. */
export type ListEvents = (project: Project, query: ListQuery) => Promise<EventPage>;

/** How many entries one call looks at when its filter lets few through; it then hands back what it found. */
const scanMax = 10_000;

/** What an event's answer holds beside its own bytes: cursor, receive time, entrance, framing. */
const addedBytes = 80;

export function createListEvents(log: EventLog, pageTokens: PageTokens): ListEvents {
  return async (project, query) => {
    checkQuery(query);
    const pageSize = Math.min(query.pageSize || callLimits.pageSizeDefault, callLimits.pageSizeMax);
    const scope = scopeOf(project, query);
    const matches = createMatcher(query);
    const events: StoredEvent[] = [];
    let after: Position | undefined = query.pageToken === "" ? undefined : pageTokens.open(scope, query.pageToken);
    let scanned = 0;
    let bytes = 0;

    while (scanned < scanMax) {
      // One more than fits, to tell a full last page from one that others follow.
      const wanted = query.names.length === 0 ? pageSize - events.length + 1 : scanMax;
      const countMax = Math.min(wanted, scanMax - scanned);
      const slice = await log.read(project, { order: query.order, countMax, ...(after && { after }) });
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

function createMatcher({ names, includeTest }: ListQuery): (event: StoredEvent) => boolean {
  const wanted = names.length === 0 ? undefined : new Set(names);
  return (event) => (includeTest || !event.isTest) && (wanted === undefined || wanted.has(readEventName(event.bytes)));
}

/** Everything that a page token is bound to. The page size may change from page to page. */
function scopeOf(project: Project, { names, includeTest, order }: ListQuery): string {
  return JSON.stringify([project.name, order, includeTest, [...new Set(names)].sort()]);
}

function checkQuery({ names, pageSize }: ListQuery): void {
  if (pageSize < 0) throw invalid("page_size", "is negative");
  if (names.length > callLimits.filterNames) throw invalid("filter.names", `has more than ${callLimits.filterNames}`);
  for (const [i, name] of names.entries()) {
    if (name === "" || [...name].length > 256) throw invalid(`filter.names[${i}]`, "is not 1 to 256 characters long");
  }
}

function invalid(field: string, message: string): SluiceError {
  return new SluiceError("FILTER_INVALID", `${field} ${message}`, { violations: [{ field, message }] });
}
