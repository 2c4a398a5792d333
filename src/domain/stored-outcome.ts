import type { EventOutcome } from "./outcome.ts";

/** What became of an event that is stored. */
export type StoredOutcome = Extract<EventOutcome, { kind: "accepted" | "duplicate" }>;

/** Whether an event is stored, by this offer of it or by an earlier one. */
export function isStored(outcome: EventOutcome): outcome is StoredOutcome {
  return outcome.kind === "accepted" || outcome.kind === "duplicate";
}
