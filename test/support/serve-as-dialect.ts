import type { EventOutcome } from "../../src/domain/outcome.ts";
import { errorOfAll } from "../../src/domain/outcome-error.ts";
import type { EventToAppend } from "../../src/domain/ports.ts";
import { prepareEvent } from "../../src/domain/prepare-event.ts";
import type { Dialect, Offer, Reply, TrackEndpoint, TrackRequest } from "../../src/http/dialect.ts";
import { toRefusal } from "../../src/http/refusal.ts";
import { renameOutcome } from "../../src/http/rename-fault.ts";
import { newProject } from "./events.ts";

/** When all requests of these tests come in; they are answered 250 ms later. */
export const servedMs = Date.UTC(2026, 0, 31, 12);

const position = { epoch: "abcdefghijkl", ms: servedMs, seq: 1 };

/** What storage says of a valid event, the one at this place among the valid ones. */
export type Decide = (event: EventToAppend, place: number) => EventOutcome;

export const accept: Decide = ({ id }) => ({ kind: "accepted", id, position });
export const findDuplicate: Decide = ({ id }) => ({ kind: "duplicate", id, position });

/** The endpoint of this name, which stores events. */
export function trackEndpoint({ endpoints }: Dialect, name: string): TrackEndpoint {
  const endpoint = endpoints.find((one) => one.name === name);
  if (endpoint?.kind !== "track") throw new Error(`no endpoint ${name} that stores events`);
  return endpoint;
}

/** What an endpoint makes of a request; a JSON body without an `Idempotency-Key`, unless told otherwise. */
export function readRequest(endpoint: TrackEndpoint, request: Partial<TrackRequest>): Offer {
  return endpoint.read({
    params: {},
    query: new URLSearchParams(),
    headers: {},
    body: null,
    isForm: false,
    environment: "",
    nowMs: servedMs,
    eventId: () => "",
    ...request,
  });
}

/** The reply to a request, in a project without limits, with all valid events stored unless told otherwise. */
export function replyTo(
  dialect: Dialect,
  endpoint: TrackEndpoint,
  request: Partial<TrackRequest>,
  decide: Decide = accept,
): Reply {
  try {
    const offer = readRequest(endpoint, request);
    let place = 0;
    const outcomes = offer.events.map((event): EventOutcome => {
      const prepared = prepareEvent(event, servedMs, { project: newProject(), environments: [] });
      if ("bytes" in prepared) return decide(prepared, place++);
      return renameOutcome(dialect, prepared, event);
    });
    const answer = { outcomes, quotas: [] };
    const error = errorOfAll(answer);
    if (error !== undefined) throw error;
    return offer.answer(answer, servedMs + 250);
  } catch (thrown) {
    return dialect.refuse(toRefusal(thrown));
  }
}
