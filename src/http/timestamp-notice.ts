import type { TimestampUnit } from "./parse-timestamp.ts";

/** Tells the sender of a timestamp that it was understood, though its vendor documents seconds. */
export function timestampNotice(unit: TimestampUnit): string {
  const kind = unit === "text" ? "an ISO 8601 time" : `in ${unit}`;
  return `timestamp is ${kind}, not in seconds as documented: understood`;
}
