import type { DescMethod, DescService, Message } from "@bufbuild/protobuf";
import type { UniversalHandlerOptions } from "@connectrpc/connect/protocol";
import type { Event } from "../../gen/sluice/v1/event_pb.ts";
import { EventService } from "../../gen/sluice/v1/event_service_pb.ts";
import type { OfferedEvent } from "../domain/event.ts";
import type { StoredEvent } from "../domain/ports.ts";
import { eventsGzip } from "./connect-compression.ts";
import { quotedJsonOptions } from "./connect-json.ts";
import { toEvent, toEventBytes } from "./event-encoding.ts";
import { readJsonEvent } from "./json-events.ts";
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
  toEvent(stored: StoredEvent): Event | Uint8Array;
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
  toEvent,
};

/** The form for protobuf: the events of a request stay as they were sent, those of a page as they are stored. */
export const wireForm: EventForm = {
  service: WireEventService,
  eventOptions: {},
  eventsOptions: { acceptCompression: [eventsGzip] },
  readEvent: (request) => (isWireTrackRequest(request) && request.event.length > 0 ? request.event : undefined),
  readEvents: (request) => (isWireTrackManyRequest(request) ? request.events : []),
  toEvent: toEventBytes,
};

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
