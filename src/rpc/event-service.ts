import type {
  GetEventRequest,
  GetLimitsResponse,
  ListEventsRequest,
  ListRejectedEventsRequest,
  ListRejectedEventsResponse,
  TailEventsRequest,
  TrackBatchResponse,
  TrackManyResponse,
} from "../../gen/sluice/v1/event_service_pb.ts";
import { Order } from "../../gen/sluice/v1/event_service_pb.ts";
import { watchCallEnd } from "../domain/call-end.ts";
import { SluiceError } from "../domain/errors.ts";
import type { OfferedEvent } from "../domain/event.ts";
import type { GetEvent } from "../domain/get-event.ts";
import type { GetLimits } from "../domain/get-limits.ts";
import { guardIterator } from "../domain/guarded-iterator.ts";
import type { EventPage, ListEvents, ListQuery } from "../domain/list-events.ts";
import type { ListRejectedEvents } from "../domain/list-rejected-events.ts";
import type { BatchFailure, EventOutcome } from "../domain/outcome.ts";
import type { StoredEvent } from "../domain/ports.ts";
import type { Caller } from "../domain/project.ts";
import type { Quota } from "../domain/quota.ts";
import type { TailBatch, TailEvents } from "../domain/tail-events.ts";
import type { StoredAnswer, Track } from "../domain/track.ts";
import { toFilterQuery } from "./filter-query.ts";
import { toGetLimitsResponse } from "./limits-response.ts";
import type { EventMethodName } from "./method-permissions.ts";
import { toListRejectedEventsResponse } from "./rejected-response.ts";
import { toTrackBatchResponse, toTrackManyResponse } from "./track-response.ts";

/** An answer, and what the project's rate limits have left, for transports that can say so beside it. */
export interface Answered<T> {
  readonly message: T;
  readonly quotas: readonly Quota[];
  /** After how long what was throttled may be sent again; undefined when nothing was. */
  readonly retryDelayMs?: number | undefined;
}

/**
 * The handlers of sluice.v1.EventService. They know neither transport: each hands them the caller and the request, its
 * events as bytes or as messages, and sends what they return. They throw nothing but SluiceError.
 */
export interface EventHandlers extends Record<EventMethodName, unknown> {
  /** What became of the event; each transport encodes it in the way that is cheapest there. */
  track(caller: Caller, event: OfferedEvent | undefined): Promise<StoredAnswer>;
  trackMany(
    caller: Caller,
    events: readonly OfferedEvent[],
    options: { readonly isAtomic: boolean },
  ): Promise<Answered<TrackManyResponse>>;
  /** Reads messages only as fast as storage takes them; ends early at shutdown, or when the sender falls silent. */
  trackBatch(caller: Caller, messages: AsyncIterable<readonly OfferedEvent[]>): Promise<Answered<TrackBatchResponse>>;
  /** The page as it is stored; `event-encoding.ts` puts events into messages or into bytes. */
  listEvents(caller: Caller, request: ListEventsRequest): Promise<EventPage>;
  /** The event as it is stored. */
  getEvent(caller: Caller, request: GetEventRequest): Promise<StoredEvent>;
  /** Answers without end, each with events as they are stored. The next is read when it is asked for. */
  tailEvents(caller: Caller, request: TailEventsRequest): AsyncGenerator<TailBatch>;
  listRejectedEvents(caller: Caller, request: ListRejectedEventsRequest): Promise<ListRejectedEventsResponse>;
  getLimits(caller: Caller): Promise<GetLimitsResponse>;
}

export interface EventHandlersDeps {
  readonly track: Track;
  readonly listEvents: ListEvents;
  readonly getEvent: GetEvent;
  readonly tailEvents: TailEvents;
  readonly listRejectedEvents: ListRejectedEvents;
  readonly getLimits: GetLimits;
  /** Aborted when the server begins to shut down: streams are cut then, so that their senders can go on elsewhere. */
  readonly shutdown: AbortSignal;
  /** How long a stream may be silent. Default 60 s. */
  readonly streamIdleMs?: number;
}

export function createEventHandlers({
  track,
  listEvents,
  getEvent,
  tailEvents,
  listRejectedEvents,
  getLimits,
  shutdown,
  streamIdleMs = 60_000,
}: EventHandlersDeps): EventHandlers {
  return {
    track(caller, event) {
      return event === undefined ? Promise.reject(eventMissing()) : track.track(caller, event);
    },

    async trackMany(caller, events, options) {
      const answer = await track.trackMany(caller, events, options);
      const { outcomes, quotas } = answer;
      return { message: toTrackManyResponse(answer), quotas, retryDelayMs: soonestOf(outcomes) };
    },

    async trackBatch(caller, source) {
      const messages = guardIterator(source, streamIdleMs);
      const end = watchCallEnd(caller.signal, shutdown);
      const interrupt = () => messages.interrupt(end.signal.reason);
      end.signal.addEventListener("abort", interrupt);
      if (end.signal.aborted) interrupt();
      try {
        const { summary, quotas } = await track.trackBatch(caller, messages);
        // Rejected events may have left no room for those that were throttled.
        const retryDelayMs = soonestOf(summary.failures) ?? (summary.throttledCount > 0 ? 1000 : undefined);
        return { message: toTrackBatchResponse(summary, quotas), quotas, retryDelayMs };
      } finally {
        end.release();
      }
    },

    listEvents: async (caller, request) => listEvents(caller, toListQuery(request)),

    getEvent: async (caller, { event }) => getEvent(caller, toWanted(event)),

    async *tailEvents(caller, { filter, afterCursor }) {
      yield* tailEvents(caller, { filter: toFilterQuery(filter), afterCursor });
    },

    async listRejectedEvents(caller, { pageSize, pageToken }) {
      return toListRejectedEventsResponse(await listRejectedEvents(caller, { pageSize, pageToken }));
    },

    async getLimits(caller) {
      return toGetLimitsResponse(await getLimits(caller));
    },
  };
}

/** The shortest delay of the events that were throttled. */
function soonestOf(outcomes: readonly (EventOutcome | BatchFailure)[]): number | undefined {
  const delays = outcomes.flatMap((outcome) => (outcome.kind === "throttled" ? [outcome.retryDelayMs] : []));
  return delays.length === 0 ? undefined : Math.min(...delays);
}

/** The event of a TrackRequest left its field out. */
function eventMissing(): SluiceError {
  return new SluiceError("EVENT_INVALID", "event is required", {
    violations: [{ field: "event", message: "is required" }],
  });
}

function toListQuery({ filter, order, pageSize, pageToken }: ListEventsRequest): ListQuery {
  return { filter: toFilterQuery(filter), order: toOrder(order), pageSize, pageToken };
}

/** Undefined when the request names no event. */
function toWanted(event: GetEventRequest["event"]): Parameters<GetEvent>[1] {
  switch (event.case) {
    case "id":
      return { id: event.value };
    case "cursor":
      return { cursor: event.value };
    case undefined:
      return undefined;
  }
}

function toOrder(order: Order | number): ListQuery["order"] {
  switch (order) {
    case Order.UNSPECIFIED:
    case Order.NEWEST_FIRST:
      return "newest-first";
    case Order.OLDEST_FIRST:
      return "oldest-first";
    default:
      throw new SluiceError("FILTER_INVALID", "order is not one that is known", {
        violations: [{ field: "order", message: "is not one that is known" }],
      });
  }
}
