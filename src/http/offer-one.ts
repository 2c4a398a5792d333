import type { JsonValue } from "@bufbuild/protobuf";
import type { OfferedEvent, RefusedEvent } from "../domain/event.ts";
import type { EventOutcome } from "../domain/outcome.ts";
import { outcomeError } from "../domain/outcome-error.ts";
import { fault } from "../domain/validate-event.ts";
import type { Offer, Reply } from "./dialect.ts";

/** What became of an event that is stored. */
export type StoredOutcome = Extract<EventOutcome, { kind: "accepted" | "duplicate" }>;

/** Offers one event. The request is answered as that is, and fails as that does. */
export function offerOne(
  event: OfferedEvent,
  notices: readonly string[],
  answer: (stored: StoredOutcome) => Reply,
): Offer {
  return {
    events: [event],
    notices,
    answer({ outcomes, quotas }) {
      const [outcome] = outcomes;
      if (outcome?.kind === "accepted" || outcome?.kind === "duplicate") return answer(outcome);
      throw outcomeError(outcome, undefined, { quotas });
    },
  };
}

/** An event that is not as its vendor takes it. `field` is the vendor's name of what is at fault; empty: all of it. */
export function refuseEvent(field: string, message: string, sent: JsonValue): RefusedEvent {
  return { refusal: { reason: "EVENT_INVALID", violation: fault(field, message) }, sent };
}
