import type {
  DescMessage,
  DescMethod,
  DescMethodClientStreaming,
  DescMethodUnary,
  DescService,
  Message,
  MessageInitShape,
} from "@bufbuild/protobuf";
import { isMessage } from "@bufbuild/protobuf";
import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
import type { UniversalHandlerOptions } from "@connectrpc/connect/protocol";
import {
  EventService,
  ListEventsRequestSchema,
  ListRejectedEventsRequestSchema,
} from "../../gen/sluice/v1/event_service_pb.ts";
import { toSluiceError } from "../domain/errors.ts";
import type { OfferedEvent } from "../domain/event.ts";
import { callLimits } from "../domain/event.ts";
import type { EventPage } from "../domain/list-events.ts";
import type { Caller } from "../domain/project.ts";
import { callOf, failCall } from "./connect-call.ts";
import { eventsGzip } from "./connect-compression.ts";
import { raceDeadline } from "./connect-end.ts";
import { quotedJsonOptions, strictJsonOptions } from "./connect-json.ts";
import { toReadError } from "./connect-refusal.ts";
import type { Answered, EventHandlers } from "./event-service.ts";
import { readJsonEvent } from "./json-events.ts";
import { toEventBytes, toListEventsResponse } from "./list-response.ts";
import { addErrorHeaders, addQuotaHeaders, addRetryAfter } from "./quota-headers.ts";
import type {
  QuotedTrackManyRequest,
  QuotedTrackRequest,
  WireTrackManyRequest,
  WireTrackRequest,
} from "./wire-service.ts";
import { QuotedEventService, WireEventService } from "./wire-service.ts";

/** How EventService's messages hold events: as messages and JSON, or as bytes. */
export interface EventForm {
  /** The service whose methods have messages of this form. */
  readonly service: Pick<DescService, "method">;
  /** What Connect has to know of the method whose message holds one event. */
  readonly eventOptions: Partial<UniversalHandlerOptions>;
  /** And of the methods whose messages hold several. */
  readonly eventsOptions: Partial<UniversalHandlerOptions>;
  readEvent(request: Message): OfferedEvent | undefined;
  readEvents(request: Message): readonly OfferedEvent[];
  toResponse(page: EventPage): MessageInitShape<DescMessage>;
}

/** The form for JSON: each event stays JSON until it is read alone. */
export const jsonForm: EventForm = {
  service: {
    method: {
      ...EventService.method,
      track: withInput(EventService.method.track, QuotedEventService.method.track),
      trackMany: withInput(EventService.method.trackMany, QuotedEventService.method.trackMany),
      trackBatch: withInput(EventService.method.trackBatch, QuotedEventService.method.trackBatch),
    },
  },
  eventOptions: { jsonOptions: quotedJsonOptions },
  eventsOptions: { jsonOptions: quotedJsonOptions },
  readEvent: (request) =>
    isQuotedTrackRequest(request) && request.event !== "" ? readJsonEvent(request.event) : undefined,
  readEvents: (request) => (isQuotedTrackManyRequest(request) ? request.events.map(readJsonEvent) : []),
  toResponse: toListEventsResponse,
};

/** The form for protobuf: the events of a request stay as they were sent, those of a page as they are stored. */
export const wireForm: EventForm = {
  service: WireEventService,
  eventOptions: {},
  eventsOptions: { acceptCompression: [eventsGzip] },
  readEvent: (request) => (isWireTrackRequest(request) && request.event.length > 0 ? request.event : undefined),
  readEvents: (request) => (isWireTrackManyRequest(request) ? request.events : []),
  toResponse: ({ events, nextPageToken }) => ({ events: events.map(toEventBytes), nextPageToken }),
};

/** The largest message that a method takes, in bytes. Requests that carry no events are small. */
export function messageBytesMaxOf(method: DescMethod): number {
  switch (method.name) {
    case EventService.method.track.name:
      return callLimits.trackMessageBytes;
    case EventService.method.trackMany.name:
    case EventService.method.trackBatch.name:
      return callLimits.batchMessageBytes;
    default:
      return 64 * 1024;
  }
}

/** Adds the methods of EventService in one form. Their contexts have to belong to calls that have shown a key. */
export function addEventMethods(router: ConnectRouter, handlers: EventHandlers, form: EventForm): void {
  const { track, trackMany, trackBatch, listEvents, listRejectedEvents, getLimits } = form.service.method;
  addUnary(track, (caller, request) => handlers.track(caller, form.readEvent(request)), form.eventOptions);
  addUnary(
    trackMany,
    (caller, request) => handlers.trackMany(caller, form.readEvents(request), { isAtomic: isAtomic(request) }),
    form.eventsOptions,
  );
  const stream = clientStreaming(trackBatch);
  router.rpc(
    stream,
    (requests, context) =>
      run(context, (caller) => handlers.trackBatch(caller, readMessages(requests, context, form.readEvents))),
    // An answer that a client of grpc-js has to decompress is lost to it when it goes on sending meanwhile.
    { ...form.eventsOptions, readMaxBytes: messageBytesMaxOf(stream), compressMinBytes: Number.MAX_SAFE_INTEGER },
  );
  addRead(listEvents, async (caller, request) => {
    if (!isMessage(request, ListEventsRequestSchema)) throw new Error("not a ListEventsRequest");
    return form.toResponse(await handlers.listEvents(caller, request));
  });
  addRead(listRejectedEvents, async (caller, request) => {
    if (!isMessage(request, ListRejectedEventsRequestSchema)) throw new Error("not a ListRejectedEventsRequest");
    return handlers.listRejectedEvents(caller, request);
  });
  addRead(getLimits, (caller) => handlers.getLimits(caller));

  function addRead(
    method: DescMethod | undefined,
    handle: (caller: Caller, request: Message) => Promise<MessageInitShape<DescMessage>>,
  ): void {
    const answer = async (caller: Caller, request: Message) => ({ message: await handle(caller, request), quotas: [] });
    addUnary(method, answer, { jsonOptions: strictJsonOptions });
  }

  function addUnary(
    method: DescMethod | undefined,
    handle: (caller: Caller, request: Message) => Promise<Answered<MessageInitShape<DescMessage>>>,
    options: Partial<UniversalHandlerOptions> = {},
  ): void {
    const desc = unary(method);
    router.rpc(desc, (request, context) => run(context, (caller) => handle(caller, request)), {
      ...options,
      readMaxBytes: messageBytesMaxOf(desc),
    });
  }
}

/** Runs a handler; from here on, what fails is no longer the request's fault. */
async function run<T>(context: HandlerContext, handle: (caller: Caller) => Promise<Answered<T>>): Promise<T> {
  const call = callOf(context);
  call.isHandled = true;
  try {
    if (call.caller === undefined) throw new Error("the call has shown no key");
    const { message, quotas, retryDelayMs } = await raceDeadline(call.caller.signal, handle(call.caller));
    addQuotaHeaders(context.responseHeader, quotas);
    addRetryAfter(context.responseHeader, retryDelayMs);
    return message;
  } catch (thrown) {
    const error = toSluiceError(thrown);
    // Not as metadata of what is thrown: in gRPC and gRPC-Web that ends up in trailers, where HTTP does not look.
    addErrorHeaders(context.responseHeader, error);
    throw failCall(call, error);
  }
}

/** The messages of a stream, one by one; one that cannot be read ends them with the reason. */
async function* readMessages<T>(
  requests: AsyncIterable<Message>,
  context: HandlerContext,
  read: (request: Message) => T,
): AsyncGenerator<T> {
  try {
    for await (const request of requests) yield read(request);
  } catch (thrown) {
    throw toReadError(thrown, callOf(context));
  }
}

function isAtomic(request: Message): boolean {
  return "atomic" in request && request.atomic === true;
}

function isWireTrackRequest(message: Message): message is Message & WireTrackRequest {
  return "event" in message && message.event instanceof Uint8Array;
}

function isWireTrackManyRequest(message: Message): message is Message & WireTrackManyRequest {
  return "events" in message && Array.isArray(message.events);
}

function isQuotedTrackRequest(message: Message): message is Message & QuotedTrackRequest {
  return "event" in message && typeof message.event === "string";
}

function isQuotedTrackManyRequest(message: Message): message is Message & QuotedTrackManyRequest {
  return "events" in message && Array.isArray(message.events);
}

/** A method with the input of another. */
function withInput<Method extends DescMethod>(method: Method, other: DescMethod | undefined): Method {
  if (other === undefined) throw new Error("the contract lacks a method");
  return { ...method, input: other.input };
}

/** Whether the messages of a method hold several events. */
export function hasEvents(method: DescMethod | undefined): boolean {
  return method?.name === EventService.method.trackMany.name || method?.name === EventService.method.trackBatch.name;
}

function unary(method: DescMethod | undefined): DescMethodUnary {
  if (!isUnary(method)) throw new Error("the contract lacks a unary method");
  return method;
}

function clientStreaming(method: DescMethod | undefined): DescMethodClientStreaming {
  if (!isClientStreaming(method)) throw new Error("the contract lacks a client-streaming method");
  return method;
}

function isUnary(method: DescMethod | undefined): method is DescMethodUnary {
  return method?.methodKind === "unary";
}

function isClientStreaming(method: DescMethod | undefined): method is DescMethodClientStreaming {
  return method?.methodKind === "client_streaming";
}
