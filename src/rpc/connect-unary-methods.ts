import type { DescMessage, DescMethod, DescMethodUnary, Message, MessageInitShape } from "@bufbuild/protobuf";
import { isMessage } from "@bufbuild/protobuf";
import type { UniversalHandlerOptions } from "@connectrpc/connect/protocol";
import {
  GetEventRequestSchema,
  ListEventsRequestSchema,
  ListRejectedEventsRequestSchema,
} from "../../gen/sluice/v1/event_service_pb.ts";
import type { Caller } from "../domain/project.ts";
import { strictJsonOptions } from "./connect-json.ts";
import type { EventForm } from "./event-form.ts";
import type { Answered, EventHandlers } from "./event-service.ts";
import { toTrackResponse } from "./track-response.ts";

/** A method of EventService with one message in each direction, in one form. */
export interface UnaryMethod {
  readonly desc: DescMethodUnary;
  /** What differs from the options of all. */
  readonly options: Partial<UniversalHandlerOptions>;
  /** Answers a request, which has to be a message of `desc.input`. */
  handle(caller: Caller, request: Message): Promise<Answered<MessageInitShape<DescMessage>>>;
}

/** The unary methods of EventService in one form. */
export function unaryMethods(handlers: EventHandlers, form: EventForm): UnaryMethod[] {
  const { track, trackMany, listEvents, getEvent, listRejectedEvents, getLimits } = form.service.method;
  return [
    {
      desc: unary(track),
      options: form.eventOptions,
      async handle(caller, request) {
        const answer = await handlers.track(caller, form.readEvent(request));
        return { message: toTrackResponse(answer), quotas: answer.quotas };
      },
    },
    {
      desc: unary(trackMany),
      options: form.eventsOptions,
      handle: (caller, request) =>
        handlers.trackMany(caller, form.readEvents(request), { isAtomic: isAtomic(request) }),
    },
    readMethod(listEvents, async (caller, request) => {
      if (!isMessage(request, ListEventsRequestSchema)) throw new Error("not a ListEventsRequest");
      const { events, nextPageToken } = await handlers.listEvents(caller, request);
      return { events: events.map(form.toEvent), nextPageToken };
    }),
    readMethod(getEvent, async (caller, request) => {
      if (!isMessage(request, GetEventRequestSchema)) throw new Error("not a GetEventRequest");
      return { event: form.toEvent(await handlers.getEvent(caller, request)) };
    }),
    readMethod(listRejectedEvents, async (caller, request) => {
      if (!isMessage(request, ListRejectedEventsRequestSchema)) throw new Error("not a ListRejectedEventsRequest");
      return handlers.listRejectedEvents(caller, request);
    }),
    readMethod(getLimits, (caller) => handlers.getLimits(caller)),
  ];
}

function readMethod(
  method: DescMethod | undefined,
  handle: (caller: Caller, request: Message) => Promise<MessageInitShape<DescMessage>>,
): UnaryMethod {
  return {
    desc: unary(method),
    options: { jsonOptions: strictJsonOptions },
    handle: async (caller, request) => ({ message: await handle(caller, request), quotas: [] }),
  };
}

function isAtomic(request: Message): boolean {
  return "atomic" in request && request.atomic === true;
}

function unary(method: DescMethod | undefined): DescMethodUnary {
  if (!isUnary(method)) throw new Error("the contract lacks a unary method");
  return method;
}

function isUnary(method: DescMethod | undefined): method is DescMethodUnary {
  return method?.methodKind === "unary";
}
