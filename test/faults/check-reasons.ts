import type { Violation } from "./checker.ts";
import type { Answer, CallRecord, History } from "./history.ts";
import { gaveUp, noAnswer } from "./offer.ts";

/** What a server that runs may say of an event that it did not store, or may not have stored, whatever happens below it. */
const soundReasons = new Set([
  "EVENT_INVALID",
  "RATE_LIMITED",
  "STORAGE_FULL",
  "STORAGE_UNAVAILABLE",
  "OVERLOADED",
  "OUTCOME_UNKNOWN",
  // Told by the checker as a conflict.
  "ID_CONFLICT",
  // What the summary of a stream leaves open.
  "not listed",
  "not in the answer",
]);

/** Sound only once the caller's time is over. */
const reasonsOfGivingUp = new Set([gaveUp, "DEADLINE_EXCEEDED", "CALL_ENDED", "STREAM_IDLE"]);

/** Clocks of the two sides, and timers that fire early. */
const slackMs = 20;

/** Every event gets an answer, and no fault is an excuse for INTERNAL, or for none unless the server is killed. */
export function checkReasons({ calls }: Pick<History, "calls">, isServerKilled: boolean): Violation[] {
  const isSound = (call: CallRecord, { reason }: Extract<Answer, { reason: string }>) => {
    if (reasonsOfGivingUp.has(reason)) return isServerKilled || call.endedAt - call.beganAt > call.timeoutMs - slackMs;
    return soundReasons.has(reason) || (isServerKilled && reason === noAnswer);
  };
  return calls.flatMap((call) => {
    const bad = call.answer?.answers.find((told) => "reason" in told && !isSound(call, told));
    if (bad === undefined || !("reason" in bad)) return [];
    const waitedMs = Math.round(call.endedAt - call.beganAt);
    return [{ kind: "unsound reason", subject: `${call.marks[0]}: ${bad.reason} after ${waitedMs} ms` }];
  });
}
