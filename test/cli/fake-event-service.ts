import type { MessageInitShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { ConnectRouter, Interceptor, ServiceImpl } from "@connectrpc/connect";
import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import { ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import type { Event } from "../../gen/sluice/v1/event_pb.ts";
import type { ListEventsRequest, TrackBatchRequest } from "../../gen/sluice/v1/event_service_pb.ts";
import {
  EventService,
  Order,
  Outcome,
  TrackBatchResponseSchema,
  TrackFailureSchema,
} from "../../gen/sluice/v1/event_service_pb.ts";
import type { EventClient } from "../../src/cli/event-client.ts";

/** How a stream is to be cut. */
export interface Cut {
  /** After how many of its events. */
  readonly afterCount: number;
  /** Whether the sender is told what had become of the stream. */
  readonly isAnswered: boolean;
  /** How many events in front of the cut are stored, but not said to be. */
  readonly unknownCount: number;
  /** A rate limit ends the stream with its response, and asks for this delay. */
  readonly throttledMs?: number;
}

export interface FakeEventService {
  readonly client: EventClient;
  /** Ids in the order in which they were stored. */
  readonly stored: Map<string, Event>;
  /** How many events each stream brought. */
  readonly streamCounts: number[];
  /** How many events each message brought. */
  readonly messageCounts: number[];
  /** What every page was asked for with. */
  readonly listRequests: ListEventsRequest[];
}

export interface FakeEventServiceOptions {
  /** The first streams' cuts, one for each. */
  readonly cuts?: readonly (Cut | undefined)[];
  /** Thrown by every call. */
  readonly failure?: () => ConnectError | undefined;
  /** Events that are rejected. */
  isRejected?(event: Event): boolean;
  readonly events?: readonly Event[];
  /** Called with each message of a stream, before it is read further. */
  onMessage?(message: TrackBatchRequest): void | Promise<void>;
  /** What the server names of the events it rejects, in one answer. Default: all. */
  readonly failuresMax?: number;
  /** Whether nobody is there, at each call. */
  isAway?(): boolean;
  /** Methods that are not like this. */
  readonly methods?: Partial<ServiceImpl<typeof EventService>>;
}

/** An EventService in memory that remembers ids, and whose streams can be cut. */
export function createFakeEventService(options: FakeEventServiceOptions = {}): FakeEventService {
  const stored = new Map<string, Event>();
  const streamCounts: number[] = [];
  const messageCounts: number[] = [];
  const listRequests: ListEventsRequest[] = [];
  const cuts = [...(options.cuts ?? [])];

  async function trackBatch(messages: AsyncIterable<TrackBatchRequest>) {
    throwFailure();
    const cut = cuts.shift();
    const tally = createTally();
    const stream = streamCounts.push(0) - 1;
    let count = 0;
    for await (const message of messages) {
      messageCounts.push(message.events.length);
      await options.onMessage?.(message);
      for (const event of message.events) {
        if (cut !== undefined && count === cut.afterCount) return endStream(cut, tally);
        tally.add(event, count++);
        streamCounts[stream] = count;
      }
    }
    if (cut !== undefined && count <= cut.afterCount) return endStream(cut, tally);
    return tally.answer(count);
  }

  function createTally() {
    const outcomes: Outcome[] = [];
    const failures: MessageInitShape<typeof TrackFailureSchema>[] = [];
    return {
      add(event: Event, index: number) {
        const outcome = judge(event);
        outcomes.push(outcome);
        if (outcome !== Outcome.REJECTED || failures.length >= (options.failuresMax ?? 1000)) return;
        const rejection = { reason: "EVENT_INVALID", field: "name", message: "is not liked" };
        failures.push({ index: BigInt(index), id: event.id, outcome, rejection });
      },
      count: () => outcomes.length,
      answer(nextIndex: number, unknownCount = 0) {
        const countOf = (outcome: Outcome) => BigInt(outcomes.slice(0, nextIndex).filter((o) => o === outcome).length);
        return create(TrackBatchResponseSchema, {
          acceptedCount: countOf(Outcome.ACCEPTED),
          duplicateCount: countOf(Outcome.DUPLICATE),
          rejectedCount: countOf(Outcome.REJECTED),
          unknownCount: BigInt(unknownCount),
          nextIndex: BigInt(nextIndex),
          failures: failures.filter(({ index }) => (index ?? 0n) < BigInt(nextIndex)),
        });
      },
    };
  }

  function judge(event: Event): Outcome {
    if (options.isRejected?.(event)) return Outcome.REJECTED;
    if (stored.has(event.id)) return Outcome.DUPLICATE;
    stored.set(event.id, event);
    return Outcome.ACCEPTED;
  }

  function endStream(cut: Cut, tally: ReturnType<typeof createTally>) {
    if (cut.throttledMs === undefined) throw toCutError(cut, tally);
    const answer = tally.answer(tally.count());
    const retryDelay = durationFromMs(cut.throttledMs);
    answer.throttledCount = 1n;
    answer.failures = [create(TrackFailureSchema, { index: answer.nextIndex, outcome: Outcome.THROTTLED, retryDelay })];
    return answer;
  }

  function toCutError(cut: Cut, tally: ReturnType<typeof createTally>): ConnectError {
    if (!cut.isAnswered) return new ConnectError("the connection was lost", Code.Aborted);
    const unknownCount = Math.min(cut.unknownCount, tally.count());
    const answer = tally.answer(tally.count() - unknownCount, unknownCount);
    return storageUnavailable([{ desc: TrackBatchResponseSchema, value: answer }]);
  }

  function throwFailure(): void {
    const failure = options.failure?.();
    if (failure !== undefined) throw failure;
  }

  // In front of the transport, as an error of the system has no way through it.
  const reach: Interceptor = (next) => (request) => {
    if (options.isAway?.()) throw unreachable();
    return next(request);
  };

  function routes(router: ConnectRouter): void {
    router.service(EventService, {
      trackBatch,
      listEvents(request) {
        const { filter, order, pageSize, pageToken } = request;
        listRequests.push(request);
        throwFailure();
        const all = (options.events ?? []).filter(
          ({ name, test }) => (filter?.includeTest || !test) && (!filter?.names.length || filter.names.includes(name)),
        );
        if (order !== Order.OLDEST_FIRST) all.reverse();
        const begin = Number(pageToken);
        const end = begin + (pageSize || 20);
        return { events: all.slice(begin, end), nextPageToken: end < all.length ? `${end}` : "" };
      },
      ...options.methods,
    });
  }

  const transport = createRouterTransport(routes, { transport: { interceptors: [reach] } });
  return { client: createClient(EventService, transport), stored, streamCounts, messageCounts, listRequests };
}

type Detail = NonNullable<ConstructorParameters<typeof ConnectError>[3]>[number];

/** An error as the server makes it. */
export function ofSluice(
  reason: string,
  code: Code,
  metadata: Record<string, string> = {},
  domain = "sluice",
): ConnectError {
  return new ConnectError("text", code, undefined, [{ desc: ErrorInfoSchema, value: { reason, domain, metadata } }]);
}

/** The error of a host where nobody is there. */
function unreachable(): ConnectError {
  const cause = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
  return new ConnectError("connect ECONNREFUSED", Code.Unavailable, undefined, undefined, cause);
}

/** The error of a server whose storage is away. */
export function storageUnavailable(details: Detail[] = []): ConnectError {
  return new ConnectError("Redis is away", Code.Unavailable, undefined, [
    { desc: ErrorInfoSchema, value: { reason: "STORAGE_UNAVAILABLE", domain: "sluice" } },
    { desc: RetryInfoSchema, value: { retryDelay: { seconds: 1n } } },
    ...details,
  ]);
}
