import { SluiceError } from "./errors.ts";
import type { OfferedEvent } from "./event.ts";
import { callLimits } from "./event.ts";
import { checkEventCount } from "./event-count.ts";
import type { Answer, OfferEventsDeps, PreparedEvent } from "./offer-events.ts";
import { createOfferEvents } from "./offer-events.ts";
import type { EventOutcome } from "./outcome.ts";
import { errorOfAll, outcomeError } from "./outcome-error.ts";
import type { AppendOptions } from "./ports.ts";
import type { Caller } from "./project.ts";
import type { Quota } from "./quota.ts";
import { readQuotas } from "./read-quotas.ts";
import type { StoredOutcome } from "./stored-outcome.ts";
import { isStored } from "./stored-outcome.ts";
import type { TrackBatch, TrackBatchLimits } from "./track-batch.ts";
import { createTrackBatch } from "./track-batch.ts";

/** What became of one event that is stored, and what the project's rate limits have left. */
export interface StoredAnswer {
  readonly outcome: StoredOutcome;
  readonly quotas: readonly Quota[];
}

/** The write path: validates events, appends the valid ones, and has an answer for each. */
export interface Track {
  /** Stores one event. Throws what became of it when it is not stored. */
  track(caller: Caller, event: OfferedEvent): Promise<StoredAnswer>;
  /**
   * Stores 1 to 500 events; outcomes index-aligned. Throws when none of them is stored and some could be later. Atomic:
   * stores all of them, or throws for the first that cannot be stored.
   */
  trackMany(caller: Caller, events: readonly OfferedEvent[], options?: { readonly isAtomic: boolean }): Promise<Answer>;
  /**
   * Stores any number of events, in their order, and answers for each; outcomes index-aligned. For a body that is held
   * whole, so its size is what bounds it. Throws when none of them is stored and some could be later.
   */
  trackAll(caller: Caller, events: readonly OfferedEvent[]): Promise<Answer>;
  readonly trackBatch: TrackBatch;
}

export interface TrackDeps extends OfferEventsDeps {
  readonly limits?: Partial<TrackBatchLimits>;
  /** Told of all outcomes, to count them. */
  readonly onOutcomes?: (outcomes: readonly EventOutcome[]) => void;
  /** Told of calls that had events rejected, with all that they offered. */
  readonly onRejected?: (caller: Caller, offered: readonly OfferedEvent[], outcomes: readonly EventOutcome[]) => void;
}

export function createTrack(deps: TrackDeps): Track {
  const { log, onOutcomes, onRejected } = deps;
  const offers = createOfferEvents(deps);

  function report(caller: Caller, offered: readonly OfferedEvent[], outcomes: readonly EventOutcome[]): void {
    onOutcomes?.(outcomes);
    if (onRejected !== undefined && outcomes.some(({ kind }) => kind === "rejected")) {
      onRejected(caller, offered, outcomes);
    }
  }

  async function offer(
    caller: Caller,
    offered: readonly OfferedEvent[],
    prepared: readonly PreparedEvent[],
    options: Pick<AppendOptions, "isAtomic" | "sequence">,
  ): Promise<Answer> {
    const answer = await offers.append(caller, prepared, options);
    report(caller, offered, answer.outcomes);
    // Nothing was appended, so nothing was told. A log that just failed is not asked, as that could take its time.
    const isUntold = answer.quotas.length === 0 && !answer.outcomes.some(({ kind }) => kind === "failed");
    return isUntold ? { ...answer, quotas: await readQuotas(log, caller) } : answer;
  }

  async function trackAtomically(caller: Caller, events: readonly OfferedEvent[]): Promise<Answer> {
    const prepared = offers.prepare(caller, events);
    const rejected = prepared.findIndex((event) => !("bytes" in event));
    if (rejected >= 0) {
      const outcomes = prepared.map((event): EventOutcome => ("bytes" in event ? withhold(event.id) : event));
      report(caller, events, outcomes);
      throw outcomeError(outcomes[rejected], rejected, { quotas: await readQuotas(log, caller) });
    }
    const excess = findExcess(caller, prepared);
    if (excess !== undefined) {
      const violations = [{ field: "events", message: excess }];
      throw new SluiceError("ATOMIC_TOO_LARGE", excess, { violations, quotas: await readQuotas(log, caller) });
    }
    const answer = await offer(caller, events, prepared, { isAtomic: true });
    const { outcomes } = answer;
    if (outcomes.every(isStored)) return answer;
    const stopped = outcomes.findIndex((outcome) => !isStored(outcome) && outcome.kind !== "withheld");
    // Where tokens are short, the last has to wait for as long as all of them.
    const first = outcomes[stopped];
    throw outcomeError(first?.kind === "throttled" ? outcomes.findLast(isThrottled) : first, stopped, answer);
  }

  return {
    async track(caller, event) {
      const answer = await offer(caller, [event], offers.prepare(caller, [event]), {});
      const [outcome] = answer.outcomes;
      if (outcome !== undefined && isStored(outcome)) return { outcome, quotas: answer.quotas };
      throw outcomeError(outcome, undefined, answer);
    },

    async trackMany(caller, events, { isAtomic } = { isAtomic: false }) {
      checkEventCount(events);
      if (isAtomic) return trackAtomically(caller, events);
      return requireAnswers(await offer(caller, events, offers.prepare(caller, events), {}));
    },

    async trackAll(caller, events) {
      const sequence = {};
      const outcomes: EventOutcome[] = [];
      let quotas: readonly Quota[] = [];
      for (let start = 0; start < events.length; start += callLimits.messageEvents) {
        const slice = events.slice(start, start + callLimits.messageEvents);
        const answer = await offer(caller, slice, offers.prepare(caller, slice), { sequence });
        for (const outcome of answer.outcomes) outcomes.push(outcome);
        if (answer.quotas.length > 0) quotas = answer.quotas;
      }
      return requireAnswers({ outcomes, quotas });
    },

    trackBatch: createTrackBatch({ ...deps, offers, report }),
  };
}

function withhold(id: string): EventOutcome {
  return { kind: "withheld", id };
}

/** Why events cannot be stored all at once, whatever is left of the rate limits; undefined when they can. */
function findExcess({ project }: Caller, prepared: readonly PreparedEvent[]): string | undefined {
  const eventsMax = Math.min(...project.settings.rateLimits.map(({ events }) => events));
  if (prepared.length > eventsMax) {
    return `a rate limit of the project lets ${eventsMax} events through at once, and the call has ${prepared.length}`;
  }
  const bytes = prepared.reduce((sum, event) => sum + ("bytes" in event ? event.bytes.length : 0), 0);
  if (bytes > callLimits.atomicBytes) {
    return `the events of an atomic call may have ${callLimits.atomicBytes} bytes in all, and these have ${bytes}`;
  }
  const terms = prepared.reduce((sum, event) => sum + ("bytes" in event ? (event.termCount ?? 0) : 0), 0);
  if (terms <= callLimits.atomicTerms) return undefined;
  return `the events of an atomic call may have ${callLimits.atomicTerms} names, identities and indexed values in all, and these have ${terms}`;
}

function isThrottled({ kind }: EventOutcome): boolean {
  return kind === "throttled";
}

function requireAnswers(answer: Answer): Answer {
  const error = errorOfAll(answer);
  if (error !== undefined) throw error;
  return answer;
}
