import { SluiceError } from "./errors.ts";
import type { Answer } from "./offer-events.ts";
import type { EventOutcome } from "./outcome.ts";

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
 * Of events of which none is stored, the one that a call should fail with, if some of them could be stored later. It
 * must not look as if nothing was stored when one of them perhaps was.
 */
export function findKeptOut(outcomes: readonly EventOutcome[]): EventOutcome | undefined {
  return (
    outcomes.find((outcome) => outcome.kind === "failed" && outcome.error.reason === "OUTCOME_UNKNOWN") ??
    outcomes.findLast(({ kind }) => kind === "failed") ??
    outcomes.findLast(({ kind }) => kind === "throttled")
  );
}
