import { isEntranceName } from "../domain/entrance.ts";
import type { RejectionReason } from "../domain/outcome.ts";
import type { RejectedEvent } from "../domain/ports.ts";

/**
 * An entry of the stream of rejected events has one field. Its name is the version of its value, which is a JSON array of
 * strings: time in ms, entrance, id, environments (a line each), reason, the field at fault, what is wrong with it,
 * payload.
 */
const version = "1";

// A record, so that the compiler misses one that is added.
const reasons: Readonly<Record<RejectionReason, true>> = {
  MALFORMED: true,
  EVENT_INVALID: true,
  ENVIRONMENT_FORBIDDEN: true,
  ID_CONFLICT: true,
};

/** A rejected event as the field and the value of its entry. */
export function encodeRejected(event: RejectedEvent): [field: string, value: string] {
  const { rejectedAtMs, entrance, id, reason, violation, payload } = event;
  const environments = event.environments.join("\n");
  const texts = [`${rejectedAtMs}`, entrance, id, environments, reason, violation.field, violation.message, payload];
  return [version, JSON.stringify(texts)];
}

/** A rejected event, read back; undefined for an entry of another version. */
export function parseRejected([field, value]: readonly string[]): RejectedEvent | undefined {
  if (field !== version || value === undefined) return undefined;
  const texts = parseTexts(value);
  const [time = "", entrance = "", id = "", lines = "", reason = "", faulty = "", message = "", payload] = texts;
  const rejectedAtMs = Number(time);
  if (!Number.isSafeInteger(rejectedAtMs) || !isEntranceName(entrance) || !isReason(reason) || payload === undefined) {
    return undefined;
  }
  const environments = lines === "" ? [] : lines.split("\n");
  return { rejectedAtMs, entrance, id, environments, reason, violation: { field: faulty, message }, payload };
}

/** None, when the value is something else. */
function parseTexts(value: string): string[] {
  try {
    const parsed: unknown = JSON.parse(value);
    return Array.isArray(parsed) && parsed.every((text) => typeof text === "string") ? parsed : [];
  } catch {
    return [];
  }
}

function isReason(text: string): text is RejectionReason {
  return Object.hasOwn(reasons, text);
}
