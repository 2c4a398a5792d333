import { SluiceError, toSluiceError } from "./errors.ts";
import type { OfferedEvent } from "./event.ts";
import type { EventOutcome } from "./outcome.ts";
import type { Appended, AppendOptions, AppendResult, Clock, EventLog, EventToAppend } from "./ports.ts";
import type { RejectedEvent } from "./prepare-event.ts";
import { prepareEvent } from "./prepare-event.ts";
import type { Caller } from "./project.ts";
import type { Quota } from "./quota.ts";

/** An offered event, ready to be stored, or rejected already. */
export type PreparedEvent = EventToAppend | RejectedEvent;

/** What became of offered events, index-aligned, and what the project's rate limits have left. */
export interface Answer {
  readonly outcomes: readonly EventOutcome[];
  readonly quotas: readonly Quota[];
}

/** The way of events into the log, the same for all calls. Neither ever throws: a fault of ours costs the events. */
export interface OfferEvents {
  /** Validates events, and says which will not be stored. */
  prepare(caller: Caller, offered: readonly OfferedEvent[]): PreparedEvent[];
  /** Appends those that are valid, and answers for each. */
  append(caller: Caller, prepared: readonly PreparedEvent[], options?: Omit<AppendOptions, "signal">): Promise<Answer>;
}

export interface OfferEventsDeps {
  readonly log: EventLog;
  readonly clock: Clock;
}

export function createOfferEvents({ log, clock }: OfferEventsDeps): OfferEvents {
  return {
    prepare(caller, offered) {
      const nowMs = clock.nowMs();
      return offered.map((event) => prepareEvent(event, nowMs, caller));
    },
    async append(caller, prepared, options = {}) {
      try {
        const { project, entrance, signal } = caller;
        const valid = prepared.every(isValid) ? prepared : prepared.filter(isValid);
        const { results, quotas } =
          valid.length === 0 ? nothingAppended : await log.append(project, entrance, valid, { ...options, signal });
        let next = 0;
        const outcomes = prepared.map((event) => (isValid(event) ? toOutcome(event, results[next++]) : event));
        return { outcomes, quotas };
      } catch (thrown) {
        const error = toSluiceError(thrown);
        return { outcomes: prepared.map(({ id }) => ({ kind: "failed", id, error })), quotas: [] };
      }
    },
  };
}

function isValid(event: PreparedEvent): event is EventToAppend {
  return "bytes" in event;
}

const nothingAppended: Appended = { results: [], quotas: [] };

const conflict = { field: "id", message: "was used before, for an event with another content" };

function toOutcome({ id }: EventToAppend, result: AppendResult | undefined): EventOutcome {
  switch (result?.kind) {
    case "accepted":
    case "duplicate":
      return { kind: result.kind, id, position: result.position };
    case "conflict":
      return { kind: "rejected", id, reason: "ID_CONFLICT", violation: conflict };
    case "throttled":
      return { kind: "throttled", id, retryDelayMs: result.retryDelayMs };
    case "failed":
      return { kind: "failed", id, error: result.error };
    case "withheld":
      return { kind: "withheld", id };
    case undefined:
      return { kind: "failed", id, error: new SluiceError("INTERNAL", "the event log did not answer for an event") };
  }
}
