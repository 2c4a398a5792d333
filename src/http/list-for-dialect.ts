import { fromBinary } from "@bufbuild/protobuf";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import type { ErrorReason } from "../domain/errors.ts";
import { SluiceError } from "../domain/errors.ts";
import { callLimits } from "../domain/event.ts";
import type { GetEvent } from "../domain/get-event.ts";
import type { EventPage, ListEvents } from "../domain/list-events.ts";
import type { StoredEvent } from "../domain/ports.ts";
import type { Caller } from "../domain/project.ts";
import type { ListedEvent, ListedPage, Listing } from "./dialect.ts";

/** For how long more is looked for when a page is not full; it is then handed on as it is. */
const searchMs = 2000;

/**
 * A page for a client that takes a page with fewer events than it asked for to be the last: it is filled as far as time
 * and size allow. Throws as ListEvents does.
 */
export async function listForDialect(
  { listEvents, getEvent }: { readonly listEvents: ListEvents; readonly getEvent: GetEvent },
  caller: Caller,
  { query, after }: Listing,
): Promise<ListedPage> {
  const endMs = performance.now() + searchMs;
  const events: StoredEvent[] = [];
  let bytes = 0;
  let page = await firstPage();
  for (;;) {
    for (const event of page.events) {
      events.push(event);
      bytes += event.bytes.length;
    }
    const { nextPageToken } = page;
    const wanted = query.pageSize - events.length;
    if (wanted <= 0 || nextPageToken === "" || bytes >= callLimits.pageBytes || performance.now() > endMs) {
      return { events: events.map(toListedEvent), next: nextPageToken === "" ? undefined : nextPageToken };
    }
    page = await listEvents(caller, { ...query, pageSize: wanted, pageToken: nextPageToken });
  }

  async function firstPage(): Promise<EventPage> {
    if (after === undefined) return listEvents(caller, { ...query, pageToken: "" });
    try {
      return await listEvents(caller, { ...query, pageToken: after });
    } catch (thrown) {
      if (!hasReason(thrown, "PAGE_TOKEN_INVALID")) throw thrown;
      const { position } = await getEvent(caller, { id: after }).catch((cause: unknown) => {
        throw hasReason(cause, "EVENT_NOT_FOUND", "FILTER_INVALID") ? thrown : cause;
      });
      return listEvents(caller, { ...query, pageToken: "", after: position });
    }
  }
}

function hasReason(thrown: unknown, ...reasons: readonly ErrorReason[]): boolean {
  return thrown instanceof SluiceError && reasons.includes(thrown.reason);
}

function toListedEvent({ bytes, assignedId, position }: StoredEvent): ListedEvent {
  const event = fromBinary(EventSchema, bytes);
  return { id: assignedId ?? event.id, receivedMs: position.ms, event };
}
