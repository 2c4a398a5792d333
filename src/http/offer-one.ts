import type { JsonValue } from "@bufbuild/protobuf";
import type { OfferedEvent, RefusedEvent } from "../domain/event.ts";
import { eventLimits } from "../domain/event.ts";
import { outcomeError } from "../domain/outcome-error.ts";
import { printSent } from "../domain/rejected-payload.ts";
import type { StoredOutcome } from "../domain/stored-outcome.ts";
import { isStored } from "../domain/stored-outcome.ts";
import { isLongerThan } from "../domain/text-length.ts";
import { fault } from "../domain/validate-event.ts";
import type { Offer, Reply } from "./dialect.ts";

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
      if (outcome !== undefined && isStored(outcome)) return answer(outcome);
      throw outcomeError(outcome, undefined, { quotas });
    },
  };
}

/**
 * An event that is not as its vendor takes it. `field` is the vendor's name of what is at fault; empty: all of it. Of
 * `sent` it keeps what the list of rejected events shows, so that no body waits for storage. `environment` is the one
 * that the event names, whose keys see it in that list; one too long for an environment is none.
 */
export function refuseEvent(field: string, message: string, sent: JsonValue, environment = ""): RefusedEvent {
  const refused: RefusedEvent = {
    refusal: { reason: "EVENT_INVALID", violation: fault(field, message) },
    sent: printSent(sent),
  };
  const isNamed = environment !== "" && !isLongerThan(environment, eventLimits.environmentLength);
  return isNamed ? { ...refused, environment } : refused;
}
