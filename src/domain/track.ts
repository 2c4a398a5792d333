import { createBatchTally } from "./batch-tally.ts";
import { SluiceError, toSluiceError } from "./errors.ts";
import type { OfferedEvent } from "./event.ts";
import { callLimits } from "./event.ts";
import type { GuardedIterator } from "./guarded-iterator.ts";
import type { BatchSummary, EventOutcome } from "./outcome.ts";
import type { AppendOptions, AppendResult, Clock, EventLog, EventToAppend } from "./ports.ts";
import { prepareEvent } from "./prepare-event.ts";
import type { Caller } from "./project.ts";
import { StreamCut } from "./stream-cut.ts";

/** The write path: validates events, appends the valid ones, and has an answer for each. */
export interface Track {
  /** Stores one event. Throws what became of it when it is not stored. */
  track(caller: Caller, event: OfferedEvent): Promise<Extract<EventOutcome, { kind: "accepted" | "duplicate" }>>;
  /** Stores 1 to 500 events; outcomes index-aligned. Throws when storage answered for none of those that were valid. */
  trackMany(caller: Caller, events: readonly OfferedEvent[]): Promise<EventOutcome[]>;
  /**
   * Stores a stream of events, some messages at a time: it asks for the next message only when storage has kept up.
   * Throws, with the summary, when the stream is cut.
   */
  trackBatch(caller: Caller, messages: GuardedIterator<readonly OfferedEvent[]>): Promise<BatchSummary>;
}

export interface TrackDeps {
  readonly log: EventLog;
  readonly clock: Clock;
  /** With how many events of one TrackBatch stream at storage no more messages are read. Default 1,000. */
  readonly streamEventsInFlight?: number;
  /** Told of all outcomes, to count them. */
  readonly onOutcomes?: (outcomes: readonly EventOutcome[]) => void;
}

export function createTrack({ log, clock, streamEventsInFlight = 1000, onOutcomes }: TrackDeps): Track {
  return {
    async track(caller, event) {
      const [outcome] = await offer(caller, [event]);
      switch (outcome?.kind) {
        case "accepted":
        case "duplicate":
          return outcome;
        case "rejected":
          throw toError(outcome);
        case "failed":
          throw outcome.error;
        case undefined:
          throw new SluiceError("INTERNAL", "no outcome for an event");
      }
    },

    async trackMany(caller, events) {
      checkCount(events);
      const outcomes = await offer(caller, events);
      const failed = outcomes.find((outcome) => outcome.kind === "failed");
      if (failed !== undefined && !outcomes.some(isAnsweredByStorage)) throw failed.error;
      return outcomes;
    },

    async trackBatch(caller, messages) {
      const tally = createBatchTally();
      const inFlight: Promise<EventOutcome[]>[] = [];
      const sequence = {};
      let eventsInFlight = 0;
      const settleOldest = async () => {
        const outcomes = (await inFlight.shift()) ?? [];
        eventsInFlight -= outcomes.length;
        tally.add(outcomes);
      };
      let cut: SluiceError | undefined;
      try {
        for (;;) {
          await log.waitForRoom(caller.project, caller.signal);
          const next = await messages.next();
          if (next.done === true) break;
          checkCount(next.value);
          const outcomes = offer(caller, next.value, { isHeldBack: true, sequence });
          inFlight.push(outcomes);
          eventsInFlight += next.value.length;
          // The sender may be silent for long: it is told of a failure at once, not with its next message.
          void outcomes.then((settled) => {
            const failed = settled.find((outcome) => outcome.kind === "failed");
            if (failed !== undefined) messages.interrupt(failed.error);
          });
          while (eventsInFlight >= streamEventsInFlight) await settleOldest();
        }
      } catch (thrown) {
        cut = toSluiceError(thrown);
      }
      while (inFlight.length > 0) await settleOldest();
      cut ??= tally.failure();
      const summary = tally.summary();
      if (cut !== undefined) throw new StreamCut(cut, summary);
      return summary;
    },
  };

  /** One outcome for each event, in their order. Never rejects: a fault of ours costs the call, not the process. */
  async function offer(
    caller: Caller,
    offered: readonly OfferedEvent[],
    options: Omit<AppendOptions, "signal"> = {},
  ): Promise<EventOutcome[]> {
    try {
      return await prepareAndAppend(caller, offered, options);
    } catch (thrown) {
      const error = toSluiceError(thrown);
      return offered.map(() => ({ kind: "failed", id: "", error }));
    }
  }

  async function prepareAndAppend(
    caller: Caller,
    offered: readonly OfferedEvent[],
    options: Omit<AppendOptions, "signal">,
  ): Promise<EventOutcome[]> {
    const nowMs = clock.nowMs();
    const prepared = offered.map((event) => prepareEvent(event, nowMs));
    const valid = prepared.filter((event) => "bytes" in event);
    const results =
      valid.length === 0
        ? []
        : await log.append(caller.project, caller.entrance, valid, { ...options, signal: caller.signal });
    let next = 0;
    const outcomes = prepared.map((event) => ("bytes" in event ? toOutcome(event, results[next++]) : event));
    onOutcomes?.(outcomes);
    return outcomes;
  }
}

function toOutcome({ id }: EventToAppend, result: AppendResult | undefined): EventOutcome {
  switch (result?.kind) {
    case "accepted":
    case "duplicate":
      return { kind: result.kind, id, position: result.position };
    case "conflict":
      return { kind: "rejected", id, reason: "ID_CONFLICT", violation: conflict };
    case "failed":
      return { kind: "failed", id, error: result.error };
    case undefined:
      return { kind: "failed", id, error: new SluiceError("INTERNAL", "the event log did not answer for an event") };
  }
}

const conflict = { field: "id", message: "was used before, for an event with another content" };

function toError(outcome: Extract<EventOutcome, { kind: "rejected" }>): SluiceError {
  const { field, message } = outcome.violation;
  const text = field === "" ? `the event ${message}` : `${field} ${message}`;
  return new SluiceError(outcome.reason, text, {
    violations: [{ field: field === "" ? "event" : `event.${field}`, message }],
  });
}

function isAnsweredByStorage(outcome: EventOutcome): boolean {
  return outcome.kind === "accepted" || outcome.kind === "duplicate" || isConflict(outcome);
}

function isConflict(outcome: EventOutcome): boolean {
  return outcome.kind === "rejected" && outcome.reason === "ID_CONFLICT";
}

function checkCount(events: readonly OfferedEvent[]): void {
  if (events.length === 0) throw new SluiceError("MALFORMED", "the message holds no events");
  if (events.length > callLimits.messageEvents) {
    throw new SluiceError("TOO_LARGE", `the message holds more than ${callLimits.messageEvents} events`);
  }
}
