import type { MessageInitShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import type {
  GetEventRequest,
  ListEventsRequest,
  ListRejectedEventsRequest,
  TailEventsRequest,
  TrackBatchResponse,
} from "../../gen/sluice/v1/event_service_pb.ts";
import {
  GetLimitsResponseSchema,
  ListRejectedEventsResponseSchema,
  TrackBatchResponseSchema,
  TrackManyResponseSchema,
} from "../../gen/sluice/v1/event_service_pb.ts";
import type { OfferedEvent } from "../../src/domain/event.ts";
import type { EventPage } from "../../src/domain/list-events.ts";
import type { StoredEvent } from "../../src/domain/ports.ts";
import type { Caller } from "../../src/domain/project.ts";
import type { Quota } from "../../src/domain/quota.ts";
import type { TailBatch } from "../../src/domain/tail-events.ts";
import type { Answered, EventHandlers } from "../../src/rpc/event-service.ts";

/** A call that reached the handlers. */
export interface HandledCall {
  readonly method: keyof EventHandlers;
  readonly caller: Caller;
  /** Of TrackBatch, those that came before it ended. */
  readonly events: OfferedEvent[];
  readonly request?: ListEventsRequest | GetEventRequest | TailEventsRequest | ListRejectedEventsRequest;
  /** Of TrackMany. */
  readonly isAtomic?: boolean;
}

/** Handlers that store nothing and remember what they got. */
export interface FakeEventHandlers extends EventHandlers {
  readonly calls: HandledCall[];
  /** Thrown by every method, instead of an answer; by TrackBatch after its first message. */
  failure: unknown;
  /** Whether Track and TrackBatch never answer. */
  isSilent: boolean;
  /** Answered by TrackBatch after its first message. */
  earlyAnswer: TrackBatchResponse | undefined;
  /** What is left when events are stored. */
  quotas: readonly Quota[];
  /** After how long throttled events may be sent again. */
  retryDelayMs: number | undefined;
  /** What ListEvents answers. */
  page: EventPage;
  /** What GetEvent answers. */
  event: StoredEvent;
  /** What TailEvents answers. */
  tail: (caller: Caller) => AsyncGenerator<TailBatch>;
  /** What ListRejectedEvents answers. */
  rejectedPage: MessageInitShape<typeof ListRejectedEventsResponseSchema>;
  /** What GetLimits answers. */
  limits: MessageInitShape<typeof GetLimitsResponseSchema>;
}

/** The event named `one`, without an id of its own. */
export const storedEvent: StoredEvent = {
  position: { epoch: "e".repeat(12), ms: 1_700_000_000_000, seq: 0 },
  bytes: new Uint8Array([0x12, 3, 0x6f, 0x6e, 0x65]),
  entrance: "grpc",
  assignedId: "assigned",
  isTimeAbsent: true,
  isTest: false,
};

/** A tail that finds nothing: one answer without events, and then no other. */
export async function* silentTail(): AsyncGenerator<TailBatch> {
  yield { events: [], reached: storedEvent.position };
  await new Promise(() => {});
}

/** A tail that ends at once, as no real one does. */
export async function* emptyTail(): AsyncGenerator<TailBatch> {}

/** Handlers that accept everything. */
export function fakeEventHandlers(): FakeEventHandlers {
  const calls: HandledCall[] = [];

  function note(
    method: keyof EventHandlers,
    caller: Caller,
    events: OfferedEvent[],
    more: Pick<HandledCall, "request" | "isAtomic"> = {},
  ): void {
    calls.push({ method, caller, events, ...more });
    if (fake.failure !== undefined && method !== "trackBatch") throw fake.failure;
  }

  const fake: FakeEventHandlers = {
    calls,
    failure: undefined,
    isSilent: false,
    earlyAnswer: undefined,
    quotas: [],
    retryDelayMs: undefined,
    page: { events: [], nextPageToken: "" },
    event: storedEvent,
    tail: silentTail,
    rejectedPage: {},
    limits: {},
    async track(caller, event) {
      note("track", caller, event === undefined ? [] : [event]);
      if (fake.isSilent) return new Promise(() => {});
      return { outcome: { kind: "accepted", id: "a", position: storedEvent.position }, quotas: fake.quotas };
    },
    async trackMany(caller, events, { isAtomic }) {
      note("trackMany", caller, [...events], { isAtomic });
      return answered(create(TrackManyResponseSchema, { results: events.map((_, i) => ({ id: `${i}` })) }));
    },
    async trackBatch(caller, messages) {
      const events: OfferedEvent[] = [];
      note("trackBatch", caller, events);
      for await (const message of messages) {
        events.push(...message);
        if (fake.failure !== undefined) throw fake.failure;
        if (fake.isSilent) return new Promise(() => {});
        if (fake.earlyAnswer !== undefined) return answered(fake.earlyAnswer);
      }
      const count = BigInt(events.length);
      return answered(create(TrackBatchResponseSchema, { acceptedCount: count, nextIndex: count }));
    },
    async listEvents(caller, request) {
      note("listEvents", caller, [], { request });
      return fake.page;
    },
    async getEvent(caller, request) {
      note("getEvent", caller, [], { request });
      return fake.event;
    },
    async *tailEvents(caller, request) {
      note("tailEvents", caller, [], { request });
      yield* fake.tail(caller);
    },
    async listRejectedEvents(caller, request) {
      note("listRejectedEvents", caller, [], { request });
      return create(ListRejectedEventsResponseSchema, fake.rejectedPage);
    },
    async getLimits(caller) {
      note("getLimits", caller, []);
      return create(GetLimitsResponseSchema, fake.limits);
    },
  };
  return fake;

  function answered<T>(message: T): Answered<T> {
    return { message, quotas: fake.quotas, retryDelayMs: fake.retryDelayMs };
  }
}
