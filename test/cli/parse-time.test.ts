import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseTime } from "../../src/cli/parse-time.ts";

const nowMs = Date.parse("2026-03-01T12:00:00Z");

describe("parseTime", () => {
  it.each([
    ["90s", "2026-03-01T11:58:30Z"],
    ["30m", "2026-03-01T11:30:00Z"],
    ["1h", "2026-03-01T11:00:00Z"],
    ["7d", "2026-02-22T12:00:00Z"],
    ["1h30m", "2026-03-01T10:30:00Z"],
    ["1d0h500ms", "2026-02-28T11:59:59.500Z"],
    ["3650d", "2016-03-03T12:00:00Z"],
    ["2026-01-31", "2026-01-31T00:00:00Z"],
    ["2026-01-31T08:00", "2026-01-31T08:00:00Z"],
    ["2026-01-31 08:00", "2026-01-31T08:00:00Z"],
    ["2026-01-31T08:00:01", "2026-01-31T08:00:01Z"],
    ["2026-01-31T08:00:00.25Z", "2026-01-31T08:00:00.250Z"],
    ["2026-01-31t08:00:00,123456z", "2026-01-31T08:00:00.123Z"],
    ["2026-01-31T08:00+02:00", "2026-01-31T06:00:00Z"],
    ["2026-01-31 08:00:00+02", "2026-01-31T06:00:00Z"],
    ["2026-01-31T23:00:00-0230", "2026-02-01T01:30:00Z"],
    ["2024-02-29", "2024-02-29T00:00:00Z"],
    ["1970-01-01", "1970-01-01T00:00:00Z"],
    ["9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"],
  ])("reads %s as %s", (text, expected) => {
    expect(parseTime(text, nowMs)).toEqual({ ms: Date.parse(expected) });
  });

  it.each([
    "",
    "yesterday",
    "08:00",
    "1767225600",
    "2026",
    "2026-01",
    "2026-01-31T08",
    "2026-01-31  08:00",
    "2026-01-31T08:00+2",
    "2026-01-31T08:00 Z",
    "2026-01-31+02",
    "31.01.2026",
    "-1h",
    "0s",
    "0h0m",
    "1h 30m",
    "1h30",
    "1.5h",
  ])("refuses %j, and says what there may be", (text) => {
    expect(parseTime(text, nowMs)).toEqual({ fault: expect.stringContaining("It must be a duration back from now") });
  });

  it.each([
    ["3651d", "A duration is 3650d at most."],
    ["3650d1ms", "A duration is 3650d at most."],
    ["99999999999999999999w", "A duration is 3650d at most."],
    ["2026-13-01", "There is no 2026-13-01."],
    ["2026-02-29", "There is no 2026-02-29."],
    ["2026-04-31T08:00Z", "There is no 2026-04-31."],
    ["2026-01-31T24:01", "There is no 24:01 on any day."],
    ["2026-01-31T08:00+25:00", "There is no 08:00+25:00 on any day."],
    ["1969-12-31", "It must be in the years 1970 to 9999."],
    ["0000-01-01", "It must be in the years 1970 to 9999."],
    ["1970-01-01T00:00+01", "It must be in the years 1970 to 9999."],
    ["9999-12-31T23:59-01:00", "It must be in the years 1970 to 9999."],
    ["12026-01-31", "It must be in the years 1970 to 9999."],
  ])("refuses %s, and says: %s", (text, fault) => {
    expect(parseTime(text, nowMs)).toEqual({ fault });
  });

  it("reads every time that is printed as the same time", () => {
    const date = fc.date({ min: new Date(0), max: new Date("9999-12-31T23:59:59.999Z"), noInvalidDate: true });
    fc.assert(
      fc.property(date, (time) => {
        expect(parseTime(time.toISOString(), nowMs)).toEqual({ ms: time.getTime() });
      }),
    );
  });
});
