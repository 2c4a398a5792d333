import type { DescMethod, DescMethodClientStreaming, DescMethodServerStreaming, Message } from "@bufbuild/protobuf";
import { isMessage } from "@bufbuild/protobuf";
import type { ConnectError, ConnectRouter, HandlerContext } from "@connectrpc/connect";
import { EventService, TailEventsRequestSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import { toCursor } from "../domain/cursor.ts";
import type { SluiceError } from "../domain/errors.ts";
import { toSluiceError } from "../domain/errors.ts";
import { callLimits } from "../domain/event.ts";
import type { Caller } from "../domain/project.ts";
import { addQuotaHeaders, addRetryAfter } from "../quota-headers.ts";
import { callOf, failCall } from "./connect-call.ts";
import { raceDeadline } from "./connect-end.ts";
import { strictJsonOptions } from "./connect-json.ts";
import { isSocketError, toEndError, toReadError } from "./connect-refusal.ts";
import { unaryMethods } from "./connect-unary-methods.ts";
import { addErrorHeaders } from "./error-headers.ts";
import type { EventForm } from "./event-form.ts";
import type { Answered, EventHandlers } from "./event-service.ts";

/** The largest message that a method takes, in bytes. The largest filter fits; other requests without events are small. */
export function messageBytesMaxOf(method: DescMethod): number {
  switch (method.name) {
    case EventService.method.track.name:
      return callLimits.trackMessageBytes;
    case EventService.method.trackMany.name:
    case EventService.method.trackBatch.name:
      return callLimits.batchMessageBytes;
    case EventService.method.listEvents.name:
    case EventService.method.tailEvents.name:
      return 256 * 1024;
    default:
      return 64 * 1024;
  }
}

/** Adds the methods of EventService in one form. Their contexts have to belong to calls that have shown a key. */
export function addEventMethods(router: ConnectRouter, handlers: EventHandlers, form: EventForm): void {
  const { trackBatch, tailEvents } = form.service.method;
  for (const { desc, options, handle } of unaryMethods(handlers, form)) {
    const serve = (request: Message, context: HandlerContext) => run(context, (caller) => handle(caller, request));
    router.rpc(desc, serve, { ...options, readMaxBytes: messageBytesMaxOf(desc) });
  }
  const stream = clientStreaming(trackBatch);
  router.rpc(
    stream,
    (requests, context) =>
      run(context, (caller) => handlers.trackBatch(caller, readMessages(requests, context, form.readEvents))),
    // An answer that a client of grpc-js has to decompress is lost to it when it goes on sending meanwhile.
    { ...form.eventsOptions, readMaxBytes: messageBytesMaxOf(stream), compressMinBytes: Number.MAX_SAFE_INTEGER },
  );
  const tail = serverStreaming(tailEvents);
  router.rpc(
    tail,
    (request, context) =>
      runStream(context, async function* (caller) {
        if (!isMessage(request, TailEventsRequestSchema)) throw new Error("not a TailEventsRequest");
        for await (const { events, reached } of handlers.tailEvents(caller, request)) {
          yield { events: events.map(form.toEvent), cursor: toCursor(reached) };
        }
      }),
    { jsonOptions: strictJsonOptions, readMaxBytes: messageBytesMaxOf(tail) },
  );
}

/** Runs a handler; from here on, what fails is no longer the request's fault. */
async function run<T>(context: HandlerContext, handle: (caller: Caller) => Promise<Answered<T>>): Promise<T> {
  try {
    const caller = beginHandling(context);
    const { message, quotas, retryDelayMs } = await raceDeadline(caller.signal, handle(caller));
    addQuotaHeaders(context.responseHeader, quotas);
    addRetryAfter(context.responseHeader, retryDelayMs);
    return message;
  } catch (thrown) {
    throw failHandling(context, toSluiceError(thrown));
  }
}

/** Runs a handler that answers with a stream, whose next message Connect asks for when the caller has taken the last. */
async function* runStream<T>(
  context: HandlerContext,
  handle: (caller: Caller) => AsyncGenerator<T>,
): AsyncGenerator<T> {
  try {
    yield* handle(beginHandling(context));
  } catch (thrown) {
    // What fails in writing an answer is thrown at what gave it.
    throw failHandling(context, isSocketError(thrown) ? toEndError(thrown) : toSluiceError(thrown));
  }
}

function beginHandling(context: HandlerContext): Caller {
  const call = callOf(context);
  call.isHandled = true;
  if (call.caller === undefined) throw new Error("the call has shown no key");
  return call.caller;
}

function failHandling(context: HandlerContext, error: SluiceError): ConnectError {
  // Not as metadata of what is thrown: in gRPC and gRPC-Web that ends up in trailers, where HTTP does not look.
  addErrorHeaders(context.responseHeader, error);
  return failCall(callOf(context), error);
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

/** Whether the messages of a method hold several events. */
export function hasEvents(method: DescMethod | undefined): boolean {
  return method?.name === EventService.method.trackMany.name || method?.name === EventService.method.trackBatch.name;
}

function clientStreaming(method: DescMethod | undefined): DescMethodClientStreaming {
  if (!isClientStreaming(method)) throw new Error("the contract lacks a client-streaming method");
  return method;
}

function serverStreaming(method: DescMethod | undefined): DescMethodServerStreaming {
  if (!isServerStreaming(method)) throw new Error("the contract lacks a server-streaming method");
  return method;
}

function isClientStreaming(method: DescMethod | undefined): method is DescMethodClientStreaming {
  return method?.methodKind === "client_streaming";
}

function isServerStreaming(method: DescMethod | undefined): method is DescMethodServerStreaming {
  return method?.methodKind === "server_streaming";
}
