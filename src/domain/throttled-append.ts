import { SluiceError } from "./errors.ts";
import type { Answer, OfferEvents, PreparedEvent } from "./offer-events.ts";
import type { EventOutcome } from "./outcome.ts";
import type { AppendSequence, Clock } from "./ports.ts";
import type { Caller } from "./project.ts";

/** What a stream is interrupted with when it has been held back for as long as it may be. */
export const throttledStream = new SluiceError("RATE_LIMITED", "a rate limit of the project is used up");

export interface ThrottledAppendOptions {
  readonly caller: Caller;
  readonly clock: Clock;
  readonly offers: Pick<OfferEvents, "append">;
  /** Aborted when nobody waits any more. */
  readonly interrupted: AbortSignal;
  /** How long to wait for tokens, in all. */
  readonly waitMs: number;
}

/** Left of the caller's deadline when the wait ends, so that the answer still gets there. */
const answerMs = 500;

/** So that a long stream is not offered again for every single token: the least it waits, and the most it does for more. */
const restMs = 20;
const patienceMs = 1000;

/**
 * Appends the messages of one stream. What is throttled is offered again when there are tokens, until the wait is used
 * up; only then does an answer say so. Nothing overtakes what waits. Never rejects.
 */
export function createThrottledAppend({
  caller,
  clock,
  offers,
  interrupted,
  waitMs,
}: ThrottledAppendOptions): (prepared: readonly PreparedEvent[]) => Promise<Answer> {
  let leftMs = waitMs;
  /** Whether something failed, or it was waited for as long as may be: nothing is offered again then. */
  let isOver = false;
  let sequence: AppendSequence = {};
  let last: Promise<unknown> = Promise.resolve();
  let againCount = 0;

  /** Offers what was throttled again and again; its outcomes take the place of the first ones. */
  async function holdBack(
    prepared: readonly PreparedEvent[],
    { outcomes: first, quotas: told }: Answer,
    isDelayStale: boolean,
  ): Promise<Answer> {
    const outcomes = [...first];
    let quotas = told;
    for (let isStale = isDelayStale; ; isStale = false) {
      const throttled = outcomes.flatMap((outcome, i) => (outcome.kind === "throttled" ? [{ outcome, i }] : []));
      isOver ||= interrupted.aborted || outcomes.some(({ kind }) => kind === "failed");
      if (throttled.length === 0 || isOver) break;
      if (!isStale) isOver = !(await waitFor(throttled.map(({ outcome }) => outcome.retryDelayMs)));
      if (isOver) break;
      againCount++;
      const again = throttled.flatMap(({ i }) => prepared[i] ?? []);
      const answer = await offers.append(caller, again, { isHeldBack: true, sequence: {} });
      if (answer.quotas.length > 0) quotas = answer.quotas;
      for (const [n, { i }] of throttled.entries()) outcomes[i] = answer.outcomes[n] ?? missing();
    }
    return { outcomes, quotas };
  }

  /** Whether the stream may go on: not when it would take too long, or nobody waits any more. */
  async function waitFor(delays: readonly number[]): Promise<boolean> {
    const soonest = Math.max(1, Math.min(...delays));
    const delayMs = Math.max(restMs, soonest, Math.min(patienceMs, Math.max(...delays)));
    const mayWaitMs = Math.min(leftMs, caller.remainingMs() - answerMs);
    if (soonest > mayWaitMs) return false;
    const takenMs = Math.min(delayMs, mayWaitMs);
    leftMs -= takenMs;
    await clock.wait(takenMs, interrupted);
    return !interrupted.aborted;
  }

  return (prepared) => {
    const countBefore = againCount;
    const isBehindThrottled = sequence.throttledMs !== undefined;
    const appended = offers.append(caller, prepared, { isHeldBack: true, sequence });
    const answered = Promise.all([appended, last]).then(async ([answer]) => {
      const isAnswered = answer.outcomes.every(({ kind }) => kind !== "throttled" && kind !== "failed");
      // What was throttled only because others were, or has waited behind them, may well have tokens by now.
      const isDelayStale = isBehindThrottled || againCount > countBefore;
      const settled = isAnswered ? answer : await holdBack(prepared, answer, isDelayStale);
      // Whatever comes now may be stored at once again, as nothing waits before it.
      if (last === answered && !isOver && sequence.throttledMs !== undefined) sequence = {};
      return settled;
    });
    last = answered;
    return answered;
  };
}

function missing(): EventOutcome {
  return { kind: "failed", id: "", error: new SluiceError("INTERNAL", "no outcome for an event") };
}
