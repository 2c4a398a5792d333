import type { DescMessage, DescMethod } from "@bufbuild/protobuf";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import type {
  GetEventRequest,
  ListEventsRequest,
  ListRejectedEventsRequest,
  TailEventsRequest,
} from "../../gen/sluice/v1/event_service_pb.ts";
import {
  EventService,
  GetEventRequestSchema,
  GetLimitsRequestSchema,
  GetLimitsResponseSchema,
  ListEventsRequestSchema,
  ListRejectedEventsRequestSchema,
  ListRejectedEventsResponseSchema,
  TailEventsRequestSchema,
  TrackBatchResponseSchema,
  TrackManyResponseSchema,
} from "../../gen/sluice/v1/event_service_pb.ts";
import { SluiceError } from "../domain/errors.ts";
import { callLimits } from "../domain/event.ts";
import type { Caller } from "../domain/project.ts";
import { encodeTrackAnswer } from "./encode-track-answer.ts";
import { checkEncodedEventCount } from "./event-count.ts";
import type { EventHandlers } from "./event-service.ts";
import type { EventMethodName } from "./method-permissions.ts";
import { readEventFields } from "./read-event-fields.ts";
import { encodeGetEventResponse, encodeListEventsResponse, encodeTailEventsResponse } from "./read-response.ts";
import type { WireTrackManyRequest, WireTrackRequest } from "./wire-service.ts";
import { WireEventService } from "./wire-service.ts";

/**
 * A method of EventService as gRPC runs it: from the bytes of the request to those of the response. The next response of
 * a server-streaming one is asked for when the caller has taken the last.
 */
export type GrpcMethod = { readonly name: string; readonly localName: string; readonly path: string } & (
  | { readonly kind: "unary"; run(caller: Caller, request: Uint8Array): Promise<Uint8Array> }
  | {
      readonly kind: "client-streaming";
      run(caller: Caller, requests: AsyncIterable<Uint8Array>): Promise<Uint8Array>;
    }
  | { readonly kind: "server-streaming"; run(caller: Caller, request: Uint8Array): AsyncIterable<Uint8Array> }
);

const { track, trackMany, trackBatch } = WireEventService.method;

/** The methods of EventService over these handlers. Bytes that are not the request are MALFORMED. */
export function createGrpcMethods(handlers: EventHandlers): GrpcMethod[] {
  const methods: Record<EventMethodName, GrpcMethod> = {
    track: {
      ...nameOf(EventService.method.track),
      kind: "unary",
      async run(caller, bytes) {
        const event = readEvent(bytes);
        return encodeTrackAnswer(await handlers.track(caller, event.length === 0 ? undefined : event));
      },
    },
    trackMany: {
      ...nameOf(EventService.method.trackMany),
      kind: "unary",
      async run(caller, bytes) {
        const { events, atomic } = decodeEvents(trackMany?.input, bytes);
        const { message } = await handlers.trackMany(caller, events, { isAtomic: atomic === true });
        return toBinary(TrackManyResponseSchema, message);
      },
    },
    trackBatch: {
      ...nameOf(EventService.method.trackBatch),
      kind: "client-streaming",
      async run(caller, requests) {
        const messages = mapAsync(requests, (bytes) => decodeEvents(trackBatch?.input, bytes).events);
        const { message } = await handlers.trackBatch(caller, messages);
        return toBinary(TrackBatchResponseSchema, message);
      },
    },
    listEvents: {
      ...nameOf(EventService.method.listEvents),
      kind: "unary",
      async run(caller, bytes) {
        const request = decode<ListEventsRequest>(ListEventsRequestSchema, bytes);
        return encodeListEventsResponse(await handlers.listEvents(caller, request));
      },
    },
    getEvent: {
      ...nameOf(EventService.method.getEvent),
      kind: "unary",
      async run(caller, bytes) {
        const request = decode<GetEventRequest>(GetEventRequestSchema, bytes);
        return encodeGetEventResponse(await handlers.getEvent(caller, request));
      },
    },
    tailEvents: {
      ...nameOf(EventService.method.tailEvents),
      kind: "server-streaming",
      async *run(caller, bytes) {
        const request = decode<TailEventsRequest>(TailEventsRequestSchema, bytes);
        for await (const batch of handlers.tailEvents(caller, request)) yield encodeTailEventsResponse(batch);
      },
    },
    listRejectedEvents: {
      ...nameOf(EventService.method.listRejectedEvents),
      kind: "unary",
      async run(caller, bytes) {
        const request = decode<ListRejectedEventsRequest>(ListRejectedEventsRequestSchema, bytes);
        return toBinary(ListRejectedEventsResponseSchema, await handlers.listRejectedEvents(caller, request));
      },
    },
    getLimits: {
      ...nameOf(EventService.method.getLimits),
      kind: "unary",
      async run(caller, bytes) {
        decode(GetLimitsRequestSchema, bytes);
        return toBinary(GetLimitsResponseSchema, await handlers.getLimits(caller));
      },
    },
  };
  return Object.values(methods);
}

function nameOf({ name, localName, parent }: DescMethod): { name: string; localName: string; path: string } {
  return { name, localName, path: `/${parent.typeName}/${name}` };
}

/** Of several events in a TrackRequest the decoder takes the last. */
function readEvent(bytes: Uint8Array): Uint8Array {
  const [event] = readEventFields(bytes, 1) ?? [];
  return event ?? decode<WireTrackRequest>(track?.input, bytes).event;
}

function decodeEvents(desc: DescMessage | undefined, bytes: Uint8Array): WireTrackManyRequest {
  const events = readEventFields(bytes, callLimits.messageEvents);
  if (events !== undefined) return { events };
  checkEncodedEventCount(bytes);
  return decode(desc, bytes);
}

/** The one place where bytes become a wire message; T has to be the shape of the descriptor. */
function decode<T>(desc: DescMessage | undefined, bytes: Uint8Array): T {
  if (desc === undefined) throw new Error("the contract lacks a method");
  try {
    return fromBinary(desc, bytes, { readUnknownFields: false }) as T;
  } catch (cause) {
    throw new SluiceError("MALFORMED", `the message is not a ${desc.name}`, { cause });
  }
}

async function* mapAsync<A, B>(source: AsyncIterable<A>, map: (item: A) => B): AsyncGenerator<B> {
  for await (const item of source) yield map(item);
}
