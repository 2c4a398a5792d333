import type { JsonValue } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TimestampUnit } from "../../src/http/parse-timestamp.ts";
import { parseTimestamp } from "../../src/http/parse-timestamp.ts";

/** 9999-12-31T23:59:59.999Z */
const lastMs = Date.UTC(10_000, 0) - 1;

function timestamp(seconds: bigint | number, nanos: number) {
  return { $typeName: "google.protobuf.Timestamp", seconds: BigInt(seconds), nanos };
}

/** By a part of what is said of them. */
const notTimes: Readonly<Record<string, readonly JsonValue[]>> = {
  "too small": [
    ...[0, -0, 1, 0.5, 99_999_999, 99_999_999.9, -1, -1700000000123],
    ...["0", "000", "2026", "0.5", "99999999", "00099999999", "20260131", "-1645557823"],
  ],
  "give milliseconds": [
    ...[null, true, false, [], [1645557823], {}, { seconds: 1645557823 }],
    ...[1e20, 1e21, 1e-7, Number.NaN, Number.POSITIVE_INFINITY, "100000000000000000000"],
    ...["1.7e9", "1E12", "0x5f5e100", "1_700_000_000", "1,645,557,823", "+1645557823", "1645557823.", ".5", "NaN"],
    ...["", " ", "now", "2026-01", "08:00", "31.01.2026", "20260131T080000Z", "Sat, 31 Jan 2026 08:00:00 GMT"],
    ...["2026-01-31T", "2026-01-31T08", "2026-01-31T08:00:00.Z", "2026-01-31T08:00 Z", "2026-01-31Z"],
    ...["2026-01-31T08:00+2", "2026-01-31T8:00", "2026-1-31", "12026-01-31", "+012026-01-31"],
  ],
  "no such day": [
    ...["2026-13-01", "2026-00-01", "2026-01-00", "2026-01-32", "2026-02-29", "2026-02-30", "2100-02-29"],
    ...["2026-04-31T08:00Z", "2026-01-31T24:00Z", "2026-01-31T08:60Z", "2026-01-31T08:00:60Z"],
    ...["2026-01-31T08:00+24:00", "2026-01-31T08:00+01:60"],
  ],
  "years 1970 to 9999": [
    ...["1969-12-31", "1969-12-31T23:59:59.999Z", "1970-01-01T00:00+01", "1900-02-29"],
    ...["0000-01-01", "0070-01-01", "0099-12-31", "9999-12-31T23:59-01:00"],
  ],
};

describe("parseTimestamp", () => {
  it.each<[JsonValue, TimestampUnit, number, number]>([
    [1645557823, "seconds", 1645557823, 0],
    ["1645557823", "seconds", 1645557823, 0],
    [" 1645557823\n", "seconds", 1645557823, 0],
    ["0001645557823", "seconds", 1645557823, 0],
    [1533663283.8943756, "seconds", 1533663283, 894_375_600],
    ["1533663283.8943756", "seconds", 1533663283, 894_375_600],
    ["1533663283.0000000019", "seconds", 1533663283, 1],
    ["1645557823.000", "seconds", 1645557823, 0],
    [100_000_000, "seconds", 100_000_000, 0],
    [99_999_999_999, "seconds", 99_999_999_999, 0],
    ["99999999999.9999999999", "seconds", 99_999_999_999, 999_999_999],
    [100_000_000_000, "milliseconds", 100_000_000, 0],
    [1700000000123, "milliseconds", 1700000000, 123_000_000],
    ["1700000000123", "milliseconds", 1700000000, 123_000_000],
    ["1700000000123.4567899", "milliseconds", 1700000000, 123_456_789],
    [99_999_999_999_999, "milliseconds", 99_999_999_999, 999_000_000],
    [100_000_000_000_000, "microseconds", 100_000_000, 0],
    [1700000000123456, "microseconds", 1700000000, 123_456_000],
    ["1700000000123456.7899", "microseconds", 1700000000, 123_456_789],
    ["99999999999999999", "microseconds", 99_999_999_999, 999_999_000],
    [100_000_000_000_000_000, "nanoseconds", 100_000_000, 0],
    ["1700000000123456789", "nanoseconds", 1700000000, 123_456_789],
    ["1700000000123456789.9", "nanoseconds", 1700000000, 123_456_789],
    ["99999999999999999999", "nanoseconds", 99_999_999_999, 999_999_999],
  ])("reads %j as %s", (value, unit, seconds, nanos) => {
    expect(parseTimestamp(value)).toEqual({ time: timestamp(seconds, nanos), unit });
  });

  it.each<[string, string, number]>([
    ["2026-01-31", "2026-01-31T00:00:00Z", 0],
    [" 2026-01-31 ", "2026-01-31T00:00:00Z", 0],
    ["2026-01-31T08:00", "2026-01-31T08:00:00Z", 0],
    ["2026-01-31 08:00:01", "2026-01-31T08:00:01Z", 0],
    ["2026-01-31T08:00:01Z", "2026-01-31T08:00:01Z", 0],
    ["2026-01-31t08:00:01,25z", "2026-01-31T08:00:01Z", 250_000_000],
    ["2026-01-31T08:00:01.123456789Z", "2026-01-31T08:00:01Z", 123_456_789],
    ["2026-01-31T08:00:01.1234567899Z", "2026-01-31T08:00:01Z", 123_456_789],
    ["2026-01-31T08:00+02:00", "2026-01-31T06:00:00Z", 0],
    ["2026-01-31 08:00:00+02", "2026-01-31T06:00:00Z", 0],
    ["2026-01-31T23:00:00.5-0230", "2026-02-01T01:30:00Z", 500_000_000],
    ["2026-01-31T08:00:00-00:00", "2026-01-31T08:00:00Z", 0],
    ["2024-02-29", "2024-02-29T00:00:00Z", 0],
    ["2000-02-29", "2000-02-29T00:00:00Z", 0],
    ["1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z", 0],
    ["1969-12-31T23:00-01:00", "1970-01-01T00:00:00Z", 0],
    ["9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59Z", 999_999_999],
  ])("reads %j as %s", (text, expected, nanos) => {
    expect(parseTimestamp(text)).toEqual({ time: timestamp(Date.parse(expected) / 1000, nanos), unit: "text" });
  });

  it.each(
    Object.entries(notTimes).flatMap(([why, values]) => values.map((value): [JsonValue, string] => [value, why])),
  )("says that %j is not a time: %s", (value, why) => {
    expect(parseTimestamp(value)).toEqual({ fault: expect.stringMatching(`^is not a time.* ${why}`) });
  });

  it("reads a moment in every form that it is printed in as that moment", () => {
    const wholeOf = fc.constantFrom(1, 1000, 60_000, 86_400_000);
    const moment = fc
      .tuple(fc.integer({ min: 0, max: lastMs }), wholeOf)
      .map(([ms, unitMs]) => Math.floor(ms / unitMs) * unitMs);
    const offset = fc.integer({ min: -23 * 60 - 59, max: 23 * 60 + 59 });
    fc.assert(
      fc.property(moment, offset, (ms, offsetMinutes) => {
        const expected = timestamp(Math.floor(ms / 1000), (ms % 1000) * 1_000_000);
        for (const text of isoForms(ms, offsetMinutes)) {
          expect(parseTimestamp(text), text).toEqual({ time: expected, unit: "text" });
        }
      }),
    );
  });

  it("reads a number of every unit, and its text, as the same moment to the nanosecond", () => {
    const units: [TimestampUnit, bigint][] = [
      ["seconds", 1_000_000_000n],
      ["milliseconds", 1_000_000n],
      ["microseconds", 1000n],
      ["nanoseconds", 1n],
    ];
    const nanosSince1970 = fc.bigInt({ min: 10n ** 17n, max: 10n ** 20n - 1n });
    fc.assert(
      fc.property(nanosSince1970, (instant) => {
        const time = timestamp(instant / 1_000_000_000n, Number(instant % 1_000_000_000n));
        for (const [unit, size] of units) {
          const text = `${instant / size}.${String(instant % size).padStart(String(size).length - 1, "0")}`;
          const written = size === 1n ? String(instant) : text;
          expect(parseTimestamp(written), written).toEqual({ time, unit });
        }
        const ms = instant / 1_000_000n;
        const whole = timestamp(ms / 1000n, Number(ms % 1000n) * 1_000_000);
        expect(parseTimestamp(Number(ms))).toEqual({ time: whole, unit: "milliseconds" });
        expect(parseTimestamp(Number(instant / 1_000_000_000n))).toEqual({
          time: timestamp(time.seconds, 0),
          unit: "seconds",
        });
      }),
    );
  });

  it("reads a number as it reads its text", () => {
    const number = fc.oneof(fc.double(), fc.double({ min: 1e7, max: 1e21 }), fc.integer(), fc.maxSafeInteger());
    fc.assert(
      fc.property(number, (value) => {
        expect(parseTimestamp(value)).toEqual(parseTimestamp(String(value)));
      }),
    );
  });

  it("gives a time in the years 1970 to 9999, or a fault that quotes nothing, for whatever there is", () => {
    const digits = fc.stringMatching(/^[-+ ]?\d{0,24}(?:[.,:eTZ-]\d{0,12}){0,7}[Zz]?$/);
    const iso = fc.stringMatching(
      /^\d{4}-[01]\d-[0-3]\d(?:[Tt ][0-2]\d:[0-6]\d(?::[0-6]\d(?:[.,]\d{1,12})?)?(?:[Zz]|[+-][0-2]\d:?[0-6]\d)?)?$/,
    );
    const faults = new Set<string>();
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.double(), fc.string({ unit: "binary" }), digits, iso), (value) => {
        const parsed = parseTimestamp(toJsonValue(value));
        if ("fault" in parsed) {
          faults.add(parsed.fault);
          return;
        }
        const { seconds, nanos } = parsed.time;
        expect(seconds >= 0n && seconds <= BigInt(Math.floor(lastMs / 1000))).toBe(true);
        expect(Number.isInteger(nanos) && nanos >= 0 && nanos < 1_000_000_000).toBe(true);
      }),
      { numRuns: 1000 },
    );
    expect(faults.size).toBeLessThanOrEqual(4);
  });

  it("refuses a text of megabytes", () => {
    for (const part of ["0", "9", " ", "1.", "2026-01-31T08:00:00.0"]) {
      expect(parseTimestamp(`${part.repeat(4 << 20)}x`)).toHaveProperty("fault");
    }
  });
});

function isoForms(ms: number, offsetMinutes: number): string[] {
  const utc = new Date(ms).toISOString();
  const forms = [utc, utc.toLowerCase(), utc.replace("T", " "), utc.slice(0, -1), utc.replace(".", ",")];
  forms.push(
    utc.replace("Z", "000000Z"),
    utc.replace("Z", "+00:00"),
    utc.replace("Z", "-0000"),
    utc.replace("Z", "+00"),
  );
  // What it is elsewhere can be a year that is not written in four digits.
  const there = new Date(ms + offsetMinutes * 60_000);
  if (there.getUTCFullYear() < 1969 || there.getUTCFullYear() > 9999) return forms;
  const [hours, minutes] = [Math.floor(Math.abs(offsetMinutes) / 60), Math.abs(offsetMinutes) % 60].map((it) =>
    String(it).padStart(2, "0"),
  );
  const local = there.toISOString().slice(0, -1);
  const sign = offsetMinutes < 0 ? "-" : "+";
  forms.push(`${local}${sign}${hours}:${minutes}`, `${local}${sign}${hours}${minutes}`);
  if (ms % 1000 === 0) forms.push(utc.replace(".000", ""));
  if (ms % 60_000 === 0) forms.push(utc.replace(":00.000", ""));
  if (ms % 86_400_000 === 0) forms.push(utc.slice(0, 10));
  return forms;
}

/** What fast-check calls unknown. */
function toJsonValue(value: unknown): JsonValue {
  return typeof value === "number" ? value : JSON.parse(JSON.stringify(value));
}
