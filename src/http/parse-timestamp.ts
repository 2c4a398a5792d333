import type { JsonValue } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";

/** What a number of a vendor's timestamp counts; `text`: it is an ISO 8601 time. */
export type TimestampUnit = "seconds" | "milliseconds" | "microseconds" | "nanoseconds" | "text";

/** A time, and how it was written; or, in a sentence after the field's name, why it is none. */
export type ParsedTimestamp = { readonly time: Timestamp; readonly unit: TimestampUnit } | { readonly fault: string };

const noTime = { fault: "is not a time: give milliseconds since 1970, seconds, or ISO 8601" };
const tooSmall = { fault: "is not a time: it is too small for seconds or milliseconds since 1970" };
const noSuchTime = { fault: "is not a time: there is no such day, or no such hour on any day" };
const outOfYears = { fault: "is not a time in the years 1970 to 9999" };

/**
 * The moment that a vendor's timestamp stands for, in the years 1970 to 9999, exact to the nanosecond; what is finer is
 * cut. A number, or a text of one without an exponent, counts what its size says: seconds below 1e11, milliseconds below
 * 1e14, microseconds below 1e17, nanoseconds below 1e20. One below 1e8, in seconds March 1973, is no clock's time. Any
 * other text has to be an ISO 8601 time, in UTC where it has no offset. Never throws; a fault quotes nothing.
 */
export function parseTimestamp(value: JsonValue): ParsedTimestamp {
  if (typeof value === "number") {
    // What clients send most, without a detour by way of its digits.
    if (Number.isInteger(value) && value >= 1e11 && value < 1e14) {
      const seconds = Math.floor(value / 1000);
      return { time: newTimestamp(seconds, (value - seconds * 1000) * 1_000_000), unit: "milliseconds" };
    }
    return parseNumber(String(value)) ?? noTime;
  }
  if (typeof value !== "string") return noTime;
  const text = value.trim();
  return parseNumber(text) ?? parseIso(text);
}

const decimal = /^(-?)(\d+)(?:\.(\d+))?$/;

/** By the digits of its whole part: the most that it may have, and how many of them come after the second. */
const units = [
  { unit: "seconds", digitsMax: 11, subsecondDigits: 0 },
  { unit: "milliseconds", digitsMax: 14, subsecondDigits: 3 },
  { unit: "microseconds", digitsMax: 17, subsecondDigits: 6 },
  { unit: "nanoseconds", digitsMax: 20, subsecondDigits: 9 },
] as const;

/** Of 1e8, the least that is a time. */
const digitsMin = 9;

/** Undefined for a text that is no number. */
function parseNumber(text: string): ParsedTimestamp | undefined {
  const match = decimal.exec(text);
  if (match === null) return undefined;
  const [, sign, padded = "", fraction = ""] = match;
  const whole = padded.replace(/^0+/, "");
  if (sign === "-" || whole.length < digitsMin) return tooSmall;
  const unit = units.find(({ digitsMax }) => whole.length <= digitsMax);
  if (unit === undefined) return noTime;
  const secondDigits = whole.length - unit.subsecondDigits;
  const seconds = Number(whole.slice(0, secondDigits));
  return { time: newTimestamp(seconds, toNanos(whole.slice(secondDigits) + fraction)), unit: unit.unit };
}

const isoTime =
  /^(\d{4})-(\d{2})-(\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?(?:[Zz]|([+-])(\d{2})(?::?(\d{2}))?)?)?$/;

/** Exclusive. */
const secondsEnd = Date.UTC(10_000, 0) / 1000;

function parseIso(text: string): ParsedTimestamp {
  const match = isoTime.exec(text);
  if (match === null) return noTime;
  const part = (group: number) => Number(match[group] ?? 0);
  const [year, month, day] = [part(1), part(2), part(3)];
  const [hour, minute, second] = [part(4), part(5), part(6)];
  const [offsetHour, offsetMinute] = [part(9), part(10)];
  if (hour > 23 || minute > 59 || second > 59 || offsetHour > 23 || offsetMinute > 59) return noSuchTime;
  // Date takes a year below 100 for one of the last century.
  if (year < 1969) return outOfYears;
  const date = new Date(Date.UTC(year, month - 1, day));
  // Date takes the 31st of a shorter month for a day of the next.
  if (date.getUTCMonth() !== month - 1) return noSuchTime;
  const offset = (match[8] === "-" ? -60 : 60) * (offsetHour * 60 + offsetMinute);
  const seconds = date.getTime() / 1000 + hour * 3600 + minute * 60 + second - offset;
  if (seconds < 0 || seconds >= secondsEnd) return outOfYears;
  return { time: newTimestamp(seconds, toNanos(match[7] ?? "")), unit: "text" };
}

/** Of the digits after the second's point. */
function toNanos(digits: string): number {
  return Number(digits.slice(0, 9).padEnd(9, "0"));
}

/** By hand: `create` of the protobuf library takes a microsecond for it. */
function newTimestamp(seconds: number, nanos: number): Timestamp {
  return { $typeName: "google.protobuf.Timestamp", seconds: BigInt(seconds), nanos };
}
