import type { Position } from "./cursor.ts";
import { callLimits } from "./event.ts";
import type { Reader } from "./page-query.ts";
import { pageScope, toPageSize } from "./page-query.ts";
import type { PageTokens } from "./page-token.ts";
import type { RejectedEvent, RejectedEvents } from "./ports.ts";

/** One page of rejected events, newest first. */
export interface RejectedPage {
  readonly events: readonly RejectedEvent[];
  /** Empty on the last page, and only there. */
  readonly nextPageToken: string;
  /** How many rejected events of the project were only counted; 0 for a key that is bound to environments. */
  readonly omittedCount: number;
}

/**
 * One page of a project's last rejected events, of those that the caller's environments let it see. Throws FILTER_INVALID,
 * PAGE_TOKEN_INVALID.
 */
export type ListRejectedEvents = (
  caller: Reader,
  query: { readonly pageSize: number; readonly pageToken: string },
) => Promise<RejectedPage>;

/** How many one call looks at when few are of the caller's environments: all that are kept. */
const scanMax = 10_000;

/** What an answer holds beside the texts: time, entrance, reason, framing. */
const addedBytes = 100;

export function createListRejectedEvents(rejectedEvents: RejectedEvents, pageTokens: PageTokens): ListRejectedEvents {
  return async (caller, query) => {
    const { project, environments } = caller;
    const pageSize = toPageSize(query.pageSize);
    const scope = pageScope("ListRejectedEvents", caller);
    const events: RejectedEvent[] = [];
    let after: Position | undefined = query.pageToken === "" ? undefined : pageTokens.open(scope, query.pageToken);
    let omittedCount = 0;
    let bytes = 0;

    for (let scanned = 0; scanned < scanMax; ) {
      // One more than fits, to tell a full last page from one that others follow.
      const wanted = environments.length > 0 ? scanMax : pageSize - events.length + 1;
      const countMax = Math.min(wanted, scanMax - scanned);
      const slice = await rejectedEvents.read(project, { countMax, ...(after && { after }) });
      // How many of them were of these environments nobody knows.
      omittedCount = environments.length === 0 ? slice.omittedCount : 0;
      for (const { position, ...event } of slice.events) {
        const isMatch = environments.length === 0 || isWithin(event.environments, environments);
        const isFull = events.length === pageSize || bytes + answerBytes(event) > callLimits.pageBytes;
        if (isMatch && events.length > 0 && isFull) return page();
        after = position;
        scanned++;
        if (!isMatch) continue;
        events.push(event);
        bytes += answerBytes(event);
      }
      if (slice.isEnd) return { events, nextPageToken: "", omittedCount };
    }
    return page();

    function page(): RejectedPage {
      return { events, nextPageToken: after === undefined ? "" : pageTokens.seal(scope, after), omittedCount };
    }
  };
}

function isWithin(environments: readonly string[], allowed: readonly string[]): boolean {
  return environments.length > 0 && environments.every((environment) => allowed.includes(environment));
}

/** How large an event's answer is at most, without encoding it: 3 bytes a UTF-16 unit. */
function answerBytes({ id, payload, violation }: RejectedEvent): number {
  return addedBytes + 3 * (id.length + payload.length + violation.field.length + violation.message.length);
}
