import { SluiceError } from "./errors.ts";
import type { Answer } from "./offer-events.ts";
import type { EventOutcome } from "./outcome.ts";
import { isStored } from "./stored-outcome.ts";

/** Why a call fails over an event that is not stored: its only one, or one of several, which is named by its index. */
export function outcomeError(
  outcome: EventOutcome | undefined,
  index: number | undefined,
  { quotas }: Pick<Answer, "quotas">,
): SluiceError {
  switch (outcome?.kind) {
    case "rejected": {
      const event = index === undefined ? "event" : `events[${index}]`;
      const { field, message } = outcome.violation;
      const path = field === "" ? event : `${event}.${field}`;
      const text =
        index === undefined ? (field === "" ? `the event ${message}` : `${field} ${message}`) : `${path} ${message}`;
      return new SluiceError(outcome.reason, text, { violations: [{ field: path, message }], quotas });
    }
    case "throttled":
      return new SluiceError("RATE_LIMITED", "a rate limit of the project is used up", {
        retryDelayMs: outcome.retryDelayMs,
        quotas,
      });
    case "failed":
      return outcome.error;
    default:
      return new SluiceError("INTERNAL", "no outcome for an event");
  }
}

/**
 * Why a call of several events fails as a whole: none of them is stored, and some could be later. Undefined where each is
 * to be answered on its own; so it is when one is in conflict with an event that is stored, which must not be lost behind
 * another's error.
 */
export function errorOfAll({ outcomes, quotas }: Answer): SluiceError | undefined {
  if (outcomes.some(isAnswered)) return undefined;
  const keptOut = findKeptOut(outcomes);
  return keptOut && outcomeError(keptOut, undefined, { quotas });
}

/** Whether storage has judged an event for good. */
function isAnswered(outcome: EventOutcome): boolean {
  return isStored(outcome) || (outcome.kind === "rejected" && outcome.reason === "ID_CONFLICT");
}

/** It must not look as if nothing was stored when one of them perhaps was. Of several, the last has to wait longest. */
function findKeptOut(outcomes: readonly EventOutcome[]): EventOutcome | undefined {
  return (
    outcomes.find((outcome) => outcome.kind === "failed" && outcome.error.reason === "OUTCOME_UNKNOWN") ??
    outcomes.findLast(({ kind }) => kind === "failed") ??
    outcomes.findLast(({ kind }) => kind === "throttled")
  );
}
