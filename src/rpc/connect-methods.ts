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
import {
  EventService,
  ListEventsRequestSchema,
  TrackBatchRequestSchema,
  TrackManyRequestSchema,
  TrackRequestSchema,
} from "../../gen/sluice/v1/event_service_pb.ts";
import type { OfferedEvent } from "../domain/event.ts";
import { callLimits } from "../domain/event.ts";
import type { EventPage } from "../domain/list-events.ts";
import type { Caller } from "../domain/project.ts";
import { callOf, failCall } from "./connect-call.ts";
import { toReadError } from "./connect-refusal.ts";
import type { EventHandlers } from "./event-service.ts";
import { toEventBytes, toListEventsResponse } from "./list-response.ts";
import type { WireTrackManyRequest, WireTrackRequest } from "./wire-service.ts";
import { WireEventService } from "./wire-service.ts";

/** How EventService's messages hold events: as messages, or as bytes. */
export interface EventForm {
  /** The service whose methods have messages of this form. */
  readonly service: DescService;
  readEvent(request: Message): OfferedEvent | undefined;
  readEvents(request: Message): readonly OfferedEvent[];
  toResponse(page: EventPage): MessageInitShape<DescMessage>;
}

/** The form for JSON. */
export const messageForm: EventForm = {
  service: EventService,
  readEvent: (request) => (isMessage(request, TrackRequestSchema) ? request.event : undefined),
  readEvents: (request) =>
    isMessage(request, TrackManyRequestSchema) || isMessage(request, TrackBatchRequestSchema) ? request.events : [],
  toResponse: toListEventsResponse,
};

/** The form for protobuf: the events of a request stay as they were sent, those of a page as they are stored. */
export const wireForm: EventForm = {
  service: WireEventService,
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
  const { track, trackMany, trackBatch, listEvents } = form.service.method;
  addUnary(track, (caller, request) => handlers.track(caller, form.readEvent(request)));
  addUnary(trackMany, (caller, request) => handlers.trackMany(caller, form.readEvents(request)));
  addUnary(listEvents, async (caller, request) => {
    if (!isMessage(request, ListEventsRequestSchema)) throw new Error("not a ListEventsRequest");
    return form.toResponse(await handlers.listEvents(caller, request));
  });
  const stream = clientStreaming(trackBatch);
  router.rpc(
    stream,
    (requests, context) =>
      run(context, (caller) => handlers.trackBatch(caller, readMessages(requests, context, form.readEvents))),
    { readMaxBytes: messageBytesMaxOf(stream) },
  );

  function addUnary(
    method: DescMethod | undefined,
    handle: (caller: Caller, request: Message) => Promise<MessageInitShape<DescMessage>>,
  ): void {
    const desc = unary(method);
    router.rpc(desc, (request, context) => run(context, (caller) => handle(caller, request)), {
      readMaxBytes: messageBytesMaxOf(desc),
    });
  }
}

/** Runs a handler; from here on, what fails is no longer the request's fault. */
async function run<T>(context: HandlerContext, handle: (caller: Caller) => Promise<T>): Promise<T> {
  const call = callOf(context);
  call.isHandled = true;
  try {
    if (call.caller === undefined) throw new Error("the call has shown no key");
    return await handle(call.caller);
  } catch (thrown) {
    throw failCall(call, thrown);
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

function isWireTrackRequest(message: Message): message is Message & WireTrackRequest {
  return "event" in message && message.event instanceof Uint8Array;
}

function isWireTrackManyRequest(message: Message): message is Message & WireTrackManyRequest {
  return "events" in message && Array.isArray(message.events);
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
