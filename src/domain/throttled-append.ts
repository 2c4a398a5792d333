import { SluiceError } from "./errors.ts";
import type { Answer, OfferEvents, PreparedEvent } from "./offer-events.ts";
import type { EventOutcome } from "./outcome.ts";
import type { AppendSequence, Clock, EventLog } from "./ports.ts";
import type { Caller } from "./project.ts";

/** What a stream is interrupted with when it has been held back for as long as it may be. */
export const throttledStream = new SluiceError("RATE_LIMITED", "a rate limit of the project is used up");

export interface ThrottledAppendOptions {
  readonly caller: Caller;
  readonly clock: Clock;
  readonly log: Pick<EventLog, "holdRoom">;
  readonly offers: Pick<OfferEvents, "append">;
  /** Aborted when nobody waits any more. */
  readonly interrupted: AbortSignal;
  /** How long to wait for tokens, in all. */
  readonly waitMs: number;
}

/** Appends the messages of one stream. */
export interface ThrottledAppend {
  /**
   * What is throttled is offered again when there are tokens, until the wait is used up; only then does the answer say so.
   * Nothing overtakes what waits. Never rejects.
   */
  append(prepared: readonly PreparedEvent[]): Promise<Answer>;
  /** Whether something waits for tokens: what came now would only wait behind it. */
  isHeldBack(): boolean;
}

/** Left of the caller's deadline when the wait ends, so that the answer still gets there. */
const answerMs = 500;

/** The least that a stream waits, so that it is not offered again for every single token, and how long it does for more. */
const restMs = 20;
const patienceMs = 1000;

/** The most that it waits before it looks again: limits may have been raised meanwhile. */
const lookMs = 2000;

/** A message of which events wait for tokens, or that waits behind such a one. */
interface Held {
  readonly prepared: readonly PreparedEvent[];
  readonly outcomes: EventOutcome[];
  quotas: Answer["quotas"];
  resolve(answer: Answer): void;
}

/** A throttled event: where its outcome is. */
interface Throttled {
  readonly held: Held;
  readonly index: number;
  readonly event: PreparedEvent;
}

export function createThrottledAppend({
  caller,
  clock,
  log,
  offers,
  interrupted,
  waitMs,
}: ThrottledAppendOptions): ThrottledAppend {
  let leftMs = waitMs;
  /** Whether something failed, or it was waited for as long as may be: nothing is offered again then. */
  let isOver = false;
  let sequence: AppendSequence = {};
  let untaken = 0;
  let taken: Promise<unknown> = Promise.resolve();
  let waiting: Held[] = [];
  let isHolding = false;
  let releases: (() => void)[] = [];

  /** Takes a message's first answer, in the order of the messages. */
  function take(held: Held): void {
    untaken--;
    isOver ||= held.outcomes.some(hasFailed);
    waiting.push(held);
    if (waiting.length > 1 || held.outcomes.some(isThrottled)) holdRoom(throttledOf([held]));
    if (!isHolding) void holdBack();
  }

  /** Offers all that is throttled again and again, in its order; the outcomes take the place of the first ones. */
  async function holdBack(): Promise<void> {
    isHolding = true;
    let delaysMs: readonly number[] | undefined;
    for (;;) {
      resolveAnswered();
      isOver ||= interrupted.aborted;
      if (waiting.length === 0 || isOver) break;
      delaysMs ??= throttledOf(waiting).map(({ held, index }) => delayOf(held.outcomes[index]));
      if (delaysMs.length > 0) isOver ||= !(await waitFor(delaysMs));
      if (isOver) break;
      delaysMs = await offerAgain(throttledOf(waiting));
    }
    isHolding = false;
    releaseRoom();
    for (const held of waiting) settle(held);
    waiting = [];
    // Whatever comes now may be stored at once again, as nothing waits before it.
    if (untaken === 0 && !isOver) sequence = {};
  }

  /** Resolves with the delays of those that are throttled still. */
  async function offerAgain(throttled: readonly Throttled[]): Promise<number[]> {
    releaseRoom();
    const events = throttled.map(({ event }) => event);
    const { outcomes, quotas } = await offers.append(caller, events, { isHeldBack: true, sequence: {} });
    for (const [i, { held, index }] of throttled.entries()) {
      held.outcomes[index] = outcomes[i] ?? missing();
      if (quotas.length > 0) held.quotas = quotas;
    }
    isOver ||= outcomes.some(hasFailed);
    holdRoom(throttledOf(waiting));
    return outcomes.filter(isThrottled).map(delayOf);
  }

  /** Whether the stream may go on: not when it would take too long, or nobody waits any more. */
  async function waitFor(delaysMs: readonly number[]): Promise<boolean> {
    const soonestMs = Math.max(1, Math.min(...delaysMs));
    const mayWaitMs = Math.min(leftMs, caller.remainingMs() - answerMs);
    if (soonestMs > mayWaitMs) return false;
    const forMoreMs = Math.max(restMs, soonestMs, Math.min(patienceMs, Math.max(...delaysMs)));
    const takenMs = Math.min(forMoreMs, mayWaitMs, lookMs);
    leftMs -= takenMs;
    await clock.wait(takenMs, interrupted);
    return !interrupted.aborted;
  }

  /** Those at the head that have nothing throttled; an answer behind others waits for theirs. */
  function resolveAnswered(): void {
    const open = waiting.findIndex(({ outcomes }) => outcomes.some(isThrottled));
    for (const held of waiting.splice(0, open === -1 ? waiting.length : open)) settle(held);
  }

  /** What waits for tokens takes memory, but no place in the queue. */
  function holdRoom(throttled: readonly Throttled[]): void {
    const bytes = throttled.reduce((sum, { event }) => sum + ("bytes" in event ? event.bytes.length : 0), 0);
    if (bytes > 0) releases.push(log.holdRoom(caller.project, bytes));
  }

  function releaseRoom(): void {
    for (const release of releases) release();
    releases = [];
  }

  return {
    append(prepared) {
      const { promise, resolve } = Promise.withResolvers<Answer>();
      untaken++;
      const offered = offers.append(caller, prepared, { isHeldBack: true, sequence });
      taken = Promise.all([offered, taken]).then(([{ outcomes, quotas }]) => {
        take({ prepared, outcomes: [...outcomes], quotas, resolve });
      });
      return promise;
    },
    isHeldBack: () => sequence.throttledMs !== undefined,
  };
}

function settle({ outcomes, quotas, resolve }: Held): void {
  resolve({ outcomes, quotas });
}

function throttledOf(waiting: readonly Held[]): Throttled[] {
  return waiting.flatMap((held) =>
    held.outcomes.flatMap((outcome, index) => {
      const event = held.prepared[index];
      return isThrottled(outcome) && event !== undefined ? [{ held, index, event }] : [];
    }),
  );
}

function isThrottled({ kind }: EventOutcome): boolean {
  return kind === "throttled";
}

function hasFailed({ kind }: EventOutcome): boolean {
  return kind === "failed";
}

function delayOf(outcome: EventOutcome | undefined): number {
  return outcome?.kind === "throttled" ? outcome.retryDelayMs : 0;
}

function missing(): EventOutcome {
  return { kind: "failed", id: "", error: new SluiceError("INTERNAL", "no outcome for an event") };
}
