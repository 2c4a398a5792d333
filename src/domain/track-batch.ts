import { createBatchTally } from "./batch-tally.ts";
import type { SluiceError } from "./errors.ts";
import { toSluiceError } from "./errors.ts";
import type { OfferedEvent } from "./event.ts";
import { callLimits } from "./event.ts";
import { checkEventCount } from "./event-count.ts";
import type { GuardedIterator } from "./guarded-iterator.ts";
import type { Answer, OfferEvents } from "./offer-events.ts";
import type { BatchSummary, EventOutcome } from "./outcome.ts";
import type { Clock, EventLog } from "./ports.ts";
import type { Caller } from "./project.ts";
import type { Quota } from "./quota.ts";
import { readQuotas } from "./read-quotas.ts";
import { StreamCut } from "./stream-cut.ts";
import { createThrottledAppend, throttledStream } from "./throttled-append.ts";

/** What became of a stream, and what the project's rate limits have left. */
export interface StreamAnswer {
  readonly summary: BatchSummary;
  readonly quotas: readonly Quota[];
}

/**
 * Stores a stream of events, some messages at a time: it asks for the next message only when storage has kept up, and
 * holds the sender back while rate limits do. Throws, with the summary, when the stream is cut.
 */
export type TrackBatch = (caller: Caller, messages: GuardedIterator<readonly OfferedEvent[]>) => Promise<StreamAnswer>;

export interface TrackBatchLimits {
  /** With how many events of one stream at storage no more messages are read. Default 1,000. */
  readonly streamEventsInFlight: number;
  /** How long a stream is held back by rate limits, in all. Default 30 s. */
  readonly throttleWaitMs: number;
}

export interface TrackBatchDeps {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly offers: OfferEvents;
  readonly limits?: Partial<TrackBatchLimits>;
  /** Told of what became of each message's events. */
  report(caller: Caller, offered: readonly OfferedEvent[], outcomes: readonly EventOutcome[]): void;
}

const limitDefaults: TrackBatchLimits = { streamEventsInFlight: 1000, throttleWaitMs: callLimits.throttleWaitMs };

/** The write path of a stream: some messages are with storage at a time, and their answers are taken in order. */
export function createTrackBatch(deps: TrackBatchDeps): TrackBatch {
  const { log, offers, report } = deps;
  const limits = { ...limitDefaults, ...deps.limits };
  return async (caller, messages) => {
    const tally = createBatchTally();
    const stream = createThrottledAppend({
      ...deps,
      caller,
      interrupted: messages.signal,
      waitMs: limits.throttleWaitMs,
    });
    const inFlight: Promise<Answer>[] = [];
    let eventsInFlight = 0;
    let quotas: readonly Quota[] = [];
    const settleOldest = async () => {
      const answer = await inFlight.shift();
      if (answer === undefined) return;
      eventsInFlight -= answer.outcomes.length;
      if (answer.quotas.length > 0) quotas = answer.quotas;
      tally.add(answer.outcomes);
    };
    let cut: SluiceError | undefined;
    try {
      for (;;) {
        while (stream.isHeldBack() && inFlight.length > 0) await settleOldest();
        await log.waitForRoom(caller.project, caller.signal);
        const next = await messages.next();
        if (next.done === true) break;
        const offered = next.value;
        checkEventCount(offered);
        caller.recheckKey();
        const answered = stream.append(offers.prepare(caller, offered));
        inFlight.push(answered);
        eventsInFlight += offered.length;
        // The sender may be silent for long: it is told of a failure at once, not with its next message.
        void answered.then(({ outcomes }) => {
          report(caller, offered, outcomes);
          const failed = outcomes.find((outcome) => outcome.kind === "failed");
          if (failed !== undefined) messages.interrupt(failed.error);
          else if (outcomes.some(({ kind }) => kind === "throttled")) messages.interrupt(throttledStream);
        });
        while (eventsInFlight >= limits.streamEventsInFlight) await settleOldest();
      }
    } catch (thrown) {
      cut = toSluiceError(thrown);
      // Nothing is held back any longer: the sender is told now.
      messages.interrupt(cut);
    }
    while (inFlight.length > 0) await settleOldest();
    // That a stream was throttled is no fault: its response says so.
    const failure = cut === undefined || cut === throttledStream ? tally.failure() : cut;
    const summary = tally.summary();
    if (failure !== undefined) throw new StreamCut(failure, summary);
    return { summary, quotas: quotas.length > 0 ? quotas : await readQuotas(log, caller) };
  };
}
