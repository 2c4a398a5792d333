import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import type { Event } from "../../gen/sluice/v1/event_pb.ts";
import type { TrackBatchResponse, TrackFailure, TrackResult } from "../../gen/sluice/v1/event_service_pb.ts";
import { Outcome, TrackBatchResponseSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import type { EventClient } from "./event-clients.ts";
import type { Answer, CallAnswer } from "./history.ts";

/** Offers events in one call. Never rejects: an error is an answer too. */
export type Offer = (client: EventClient, events: readonly Event[], timeoutMs: number) => Promise<CallAnswer>;

/** By Track; of one event. */
export const offerByTrack: Offer = async (client, events, timeoutMs) => {
  const [event] = events;
  try {
    const { id, cursor, duplicate } = await client.track({ ...(event && { event }) }, { timeoutMs });
    const answers: Answer[] = [{ kind: duplicate ? "duplicate" : "accepted", cursor, id }];
    return event !== undefined && isAbout(id, event) ? { answers } : { answers, fault: `it answers for ${id}` };
  } catch (error) {
    return { answers: toAnswers(events, error) };
  }
};

/** By TrackMany. */
export const offerByTrackMany: Offer = async (client, events, timeoutMs) => {
  try {
    const { results } = await client.trackMany({ events: [...events] }, { timeoutMs });
    const answers = results.map(toAnswer);
    const isAligned = results.length === events.length && events.every((event, i) => isAbout(results[i]?.id, event));
    return isAligned ? { answers } : { answers, fault: "its results are not those of the events" };
  } catch (error) {
    return { answers: toAnswers(events, error) };
  }
};

/** By TrackMany, all or none. */
export const offerAtomically: Offer = async (client, events, timeoutMs) => {
  try {
    const { results } = await client.trackMany({ events: [...events], atomic: true }, { timeoutMs });
    const answers = results.map(toAnswer);
    const isStored = results.length === events.length && answers.every((answer) => !("reason" in answer));
    return isStored ? { answers } : { answers, fault: "it returned, and not all events are stored" };
  } catch (error) {
    return { answers: toAnswers(events, error) };
  }
};

/** By one TrackBatch stream, of messages with at most so many events. */
export function offerByTrackBatch(messageEvents: number): Offer {
  return async (client, events, timeoutMs) => {
    async function* messages() {
      for (let i = 0; i < events.length; i += messageEvents) yield { events: events.slice(i, i + messageEvents) };
    }
    try {
      const response = await client.trackBatch(messages(), { timeoutMs });
      // A rate limit ends it with its response; what it does not name, it has not even read.
      if (response.throttledCount > 0n) return toBatchAnswer(events, response, throttled);
      const answer = toBatchAnswer(events, response, { kind: "unknown", reason: "not in the answer" });
      return Number(response.nextIndex) === events.length ? answer : { ...answer, fault: "it ended before the events" };
    } catch (error) {
      const [summary] = ConnectError.from(error).findDetails(TrackBatchResponseSchema);
      if (summary === undefined) return { answers: toAnswers(events, error) };
      return toBatchAnswer(events, summary, toFailure(error));
    }
  };
}

/** An event without an id may be given one. */
function isAbout(id: string | undefined, event: Event): boolean {
  return id === event.id || event.id === "";
}

const throttled: Extract<Answer, { reason: string }> = { kind: "refused", reason: "RATE_LIMITED" };

/** After these an event may be stored or not; so it may when the server's own error never arrived. */
const isUnknown = new Set(["OUTCOME_UNKNOWN", "CALL_ENDED", "DEADLINE_EXCEEDED", "STREAM_IDLE", "INTERNAL"]);

/** Reasons that no server gave: the caller's time was over, or the connection. */
export const [gaveUp, noAnswer] = ["gave up", "no answer"];

function toAnswers(events: readonly Event[], error: unknown): Answer[] {
  return events.map(() => toFailure(error));
}

function toFailure(thrown: unknown): Extract<Answer, { reason: string }> {
  const error = ConnectError.from(thrown);
  const reason = error.findDetails(ErrorInfoSchema).find(({ domain }) => domain === "sluice")?.reason;
  if (reason === undefined) {
    return { kind: "unknown", reason: error.code === Code.DeadlineExceeded ? gaveUp : noAnswer };
  }
  return { kind: isUnknown.has(reason) ? "unknown" : "refused", reason };
}

function toAnswer({ outcome, id, cursor, rejection }: TrackResult): Answer {
  switch (outcome) {
    case Outcome.ACCEPTED:
      return { kind: "accepted", cursor, id };
    case Outcome.DUPLICATE:
      return { kind: "duplicate", cursor, id };
    case Outcome.UNKNOWN:
      return { kind: "unknown", reason: "OUTCOME_UNKNOWN" };
    case Outcome.THROTTLED:
      return throttled;
    default:
      return { kind: "refused", reason: toRefusalReason({ outcome, ...(rejection && { rejection }) }) };
  }
}

/** `cut` is what holds for the events from `next_index` on, unless the response says that one may be stored. */
function toBatchAnswer(
  events: readonly Event[],
  response: TrackBatchResponse,
  cut: Extract<Answer, { reason: string }>,
): CallAnswer {
  const nextIndex = Number(response.nextIndex);
  const failures = new Map(response.failures.map((failure) => [Number(failure.index), failure]));
  const [accepted, duplicate] = [Number(response.acceptedCount), Number(response.duplicateCount)];
  const refusedCount = [...failures.keys()].filter((index) => index < nextIndex).length;
  const unknownCount = response.failures.filter(({ outcome }) => outcome === Outcome.UNKNOWN).length;
  // The detail of an error has room for some failures only; which the others are it does not say.
  const unlisted: Answer = { kind: "unknown", reason: "not listed" };
  const stored: Answer = { kind: duplicate === 0 ? "accepted" : accepted === 0 ? "duplicate" : "stored" };
  const before = refusedCount === Number(response.rejectedCount) ? stored : unlisted;
  const afterwards = unknownCount === Number(response.unknownCount) ? cut : unlisted;

  const answers = events.map((_, index): Answer => {
    const failure = failures.get(index);
    if (failure?.outcome === Outcome.UNKNOWN) return { kind: "unknown", reason: "OUTCOME_UNKNOWN" };
    if (failure?.outcome === Outcome.THROTTLED) return throttled;
    if (failure !== undefined) return { kind: "refused", reason: toRefusalReason(failure) };
    return index < nextIndex ? before : afterwards;
  });
  const isSound = accepted + duplicate + Number(response.rejectedCount) === nextIndex && nextIndex <= events.length;
  return { answers, lastCursor: response.lastCursor, ...(isSound ? {} : { fault: "its counts do not add up" }) };
}

function toRefusalReason({ outcome, rejection }: Pick<TrackFailure, "outcome" | "rejection">): string {
  return rejection?.reason ?? `outcome ${outcome}`;
}
