import { parseCursor } from "./cursor.ts";
import { SluiceError } from "./errors.ts";
import { eventLimits } from "./event.ts";
import { everyEvent } from "./event-filter.ts";
import { createMatcher } from "./match-event.ts";
import type { Reader } from "./page-query.ts";
import { invalidFilter } from "./page-query.ts";
import type { EventLog, StoredEvent } from "./ports.ts";
import { findTextFault } from "./query-text.ts";

/** Which event to get. */
export type WantedEvent = { readonly id: string } | { readonly cursor: string };

/**
 * One event, test or not. Throws FILTER_INVALID; EVENT_NOT_FOUND, also for an event that the caller may not read;
 * CURSOR_EXPIRED; STORAGE_UNAVAILABLE.
 */
export type GetEvent = (caller: Reader, wanted: WantedEvent | undefined) => Promise<StoredEvent>;

export function createGetEvent(log: Pick<EventLog, "readAt" | "readById">): GetEvent {
  return async ({ project, environments }, wanted) => {
    if (wanted === undefined) throw invalidFilter("event", "is required: an id or a cursor");
    const event =
      "id" in wanted
        ? await log.readById(project, checkId(wanted.id))
        : await log.readAt(project, toPosition(wanted.cursor));
    if (event === undefined || !createMatcher({ ...everyEvent, environments })(event)) {
      throw new SluiceError("EVENT_NOT_FOUND", "there is no such event");
    }
    return event;
  };
}

function checkId(id: string): string {
  const fault = findTextFault(id, 1, eventLimits.idLength);
  if (fault !== undefined) throw invalidFilter("id", fault);
  return id;
}

function toPosition(cursor: string) {
  const position = parseCursor(cursor);
  if (position === undefined) throw invalidFilter("cursor", "is no cursor");
  return position;
}
