import { SluiceError } from "./errors.ts";
import type { OfferedEvent } from "./event.ts";
import { callLimits } from "./event.ts";

/** Throws MALFORMED or TOO_LARGE unless a message holds 1 to 500 events. */
export function checkEventCount(events: readonly OfferedEvent[]): void {
  if (events.length === 0) throw new SluiceError("MALFORMED", "the message holds no events");
  if (events.length > callLimits.messageEvents) throw tooManyEvents();
}

/** The error of a message with more events than a message may hold. */
export function tooManyEvents(): SluiceError {
  return new SluiceError("TOO_LARGE", `the message holds more than ${callLimits.messageEvents} events`);
}
