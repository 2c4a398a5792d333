import type { TimestampUnit } from "./parse-timestamp.ts";

/** Tells the sender of a timestamp that it was understood, though its vendor documents it in another unit. ASCII. */
export function timestampNotice(unit: TimestampUnit, documented: string): string {
  const kind = unit === "text" ? "an ISO 8601 time" : `in ${unit}`;
  return `timestamp is ${kind}, not in ${documented} as documented: understood`;
}
