import { parseDuration } from "../domain/duration.ts";

/** What a time must be, for a person to read. */
export const timeExpectation =
  "a duration back from now, such as 90s, 30m, 1h or 7d, or an ISO 8601 time such as 2026-01-31, 2026-01-31T08:00 or " +
  "2026-01-31T08:00:00+02:00";

const isoTime = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?)(Z|[+-]\d{2}:?\d{2})?)?$/;

/**
 * The milliseconds since 1970 that a text stands for: a duration back from now, or a date, with a time or without. In UTC
 * where it has no offset, as all times that are printed. Undefined for anything else.
 *
 * @example parseTime("1h", 7_200_000) === 3_600_000
 */
export function parseTime(text: string, nowMs: number): number | undefined {
  const backMs = parseDuration(text);
  if (backMs !== undefined) return nowMs - backMs;
  const [, date = "", time = "00:00", offset = "Z"] = isoTime.exec(text.toUpperCase()) ?? [];
  // Date reads the 31st of a shorter month as a day of the next.
  if (!isDay(date)) return undefined;
  const ms = Date.parse(`${date}T${time.replace(",", ".")}${withColon(offset)}`);
  return Number.isNaN(ms) ? undefined : ms;
}

function isDay(date: string): boolean {
  const ms = Date.parse(`${date}T00:00Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(date);
}

function withColon(offset: string): string {
  return offset.replace(/^(.\d{2})(\d{2})$/, "$1:$2");
}
