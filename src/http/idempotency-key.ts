import { SluiceError } from "../domain/errors.ts";
import { eventLimits } from "../domain/event.ts";

/** What is behind a key in an event's id: a slash, and an index of up to seven digits. */
const indexLength = 8;

const keyLengthMax = eventLimits.idLength - indexLength;

/**
 * The ids of a request's events by its `Idempotency-Key`: `<key>/<index>`; empty ones without such a header. The key may
 * be in quotes, as the draft of the header has it. Throws EVENT_INVALID unless it is 1 to 120 characters of ASCII.
 */
export function idsByKey(header: string | readonly string[] | undefined): (index: number) => string {
  if (header === undefined) return () => "";
  const key = typeof header === "string" ? header.replace(/^"(.*)"$/, "$1") : "";
  if (!/^[\x20-\x7e]+$/.test(key) || key.length > keyLengthMax) {
    const field = "Idempotency-Key";
    const message = `is not 1 to ${keyLengthMax} characters of ASCII`;
    throw new SluiceError("EVENT_INVALID", `${field} ${message}`, { violations: [{ field, message }] });
  }
  return (index) => `${key}/${index}`;
}
