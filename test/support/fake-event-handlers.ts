import { create } from "@bufbuild/protobuf";
import type { ListEventsRequest } from "../../gen/sluice/v1/event_service_pb.ts";
import {
  TrackBatchResponseSchema,
  TrackManyResponseSchema,
  TrackResponseSchema,
} from "../../gen/sluice/v1/event_service_pb.ts";
import type { OfferedEvent } from "../../src/domain/event.ts";
import type { EventPage } from "../../src/domain/list-events.ts";
import type { Caller } from "../../src/domain/project.ts";
import type { EventHandlers } from "../../src/rpc/event-service.ts";

/** A call that reached the handlers. */
export interface HandledCall {
  readonly method: keyof EventHandlers;
  readonly caller: Caller;
  /** Of TrackBatch, those that came before it ended. */
  readonly events: OfferedEvent[];
  readonly request?: ListEventsRequest;
}

/** Handlers that store nothing and remember what they got. */
export interface FakeEventHandlers extends EventHandlers {
  readonly calls: HandledCall[];
  /** Thrown by every method, instead of an answer; by TrackBatch after its first message. */
  failure: unknown;
  /** Whether Track and TrackBatch never answer. */
  isSilent: boolean;
  /** What ListEvents answers. */
  page: EventPage;
}

/** Handlers that accept everything. */
export function fakeEventHandlers(): FakeEventHandlers {
  const calls: HandledCall[] = [];

  function note(
    method: keyof EventHandlers,
    caller: Caller,
    events: OfferedEvent[],
    request?: ListEventsRequest,
  ): void {
    calls.push({ method, caller, events, ...(request && { request }) });
    if (fake.failure !== undefined && method !== "trackBatch") throw fake.failure;
  }

  const fake: FakeEventHandlers = {
    calls,
    failure: undefined,
    isSilent: false,
    page: { events: [], nextPageToken: "" },
    async track(caller, event) {
      note("track", caller, event === undefined ? [] : [event]);
      if (fake.isSilent) return new Promise(() => {});
      return create(TrackResponseSchema, { id: "a", cursor: "c" });
    },
    async trackMany(caller, events) {
      note("trackMany", caller, [...events]);
      return create(TrackManyResponseSchema, { results: events.map((_, i) => ({ id: `${i}` })) });
    },
    async trackBatch(caller, messages) {
      const events: OfferedEvent[] = [];
      note("trackBatch", caller, events);
      for await (const message of messages) {
        events.push(...message);
        if (fake.failure !== undefined) throw fake.failure;
        if (fake.isSilent) return new Promise(() => {});
      }
      return create(TrackBatchResponseSchema, {
        acceptedCount: BigInt(events.length),
        nextIndex: BigInt(events.length),
      });
    },
    async listEvents(caller, request) {
      note("listEvents", caller, [], request);
      return fake.page;
    },
  };
  return fake;
}
