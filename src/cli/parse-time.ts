import { durationMax, durationMaxMs, sumDurations } from "../domain/duration.ts";

/** A moment in milliseconds since 1970, or, in a sentence, what is wrong with the text that should be one. */
export type ParsedTime = { readonly ms: number } | { readonly fault: string };

const expectation =
  "It must be a duration back from now, such as 90s, 1h, 1h30m or 7d, or an ISO 8601 time such as 2026-01-31, " +
  "2026-01-31T08:00 or 2026-01-31T08:00:00+02:00.";

const isoTime = /^(\d{4,6}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?)(Z|[+-]\d{2}(?::?\d{2})?)?)?$/;

/**
 * The moment that a text stands for, in the years 1970 to 9999: a duration back from now, or a date, with a time or
 * without. In UTC where it has no offset, as all times that are printed.
 *
 * @example parseTime("1h", 7_200_000) // { ms: 3_600_000 }
 */
export function parseTime(text: string, nowMs: number): ParsedTime {
  const backMs = sumDurations(text);
  if (backMs === undefined) return parseIsoTime(text.toUpperCase());
  if (backMs === 0) return { fault: expectation };
  if (backMs > durationMaxMs) return { fault: `A duration is ${durationMax} at most.` };
  return withinYears(nowMs - backMs);
}

function parseIsoTime(text: string): ParsedTime {
  const [, date = "", time = "00:00", offset = "Z"] = isoTime.exec(text) ?? [];
  if (date === "") return { fault: expectation };
  if (!/^\d{4}-/.test(date)) return { fault: yearsExpectation };
  // Date reads the 31st of a shorter month as a day of the next.
  if (!isDay(date)) return { fault: `There is no ${date}.` };
  const ms = Date.parse(`${date}T${time.replace(",", ".")}${inFull(offset)}`);
  return Number.isNaN(ms)
    ? { fault: `There is no ${time}${offset === "Z" ? "" : offset} on any day.` }
    : withinYears(ms);
}

const yearsExpectation = "It must be in the years 1970 to 9999.";

function withinYears(ms: number): ParsedTime {
  return ms >= 0 && ms < yearsEndMs ? { ms } : { fault: yearsExpectation };
}

const yearsEndMs = Date.parse("+010000-01-01T00:00Z");

function isDay(date: string): boolean {
  const ms = Date.parse(`${date}T00:00Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(date);
}

/** Of an offset, which may be in hours alone. */
function inFull(offset: string): string {
  return offset.replace(/^([+-]\d{2})(?::?(\d{2}))?$/, (_, hours, minutes = "00") => `${hours}:${minutes}`);
}
