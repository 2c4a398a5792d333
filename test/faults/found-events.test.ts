import { describe, expect, it } from "vitest";
import { checkFound } from "./found-events.ts";

describe("checkFound", () => {
  it("has nothing against what matches, in order", () => {
    expect(checkFound({ sieve: "name x", expected: ["1", "2"], found: ["1", "2"] })).toEqual([]);
    expect(checkFound({ sieve: "name x", expected: [], found: [] })).toEqual([]);
  });

  it.each([
    ["an event that was not found", ["1", "3"], ["not found: by name x: 1 of 3 events, the first at 2"]],
    ["one that does not match", ["1", "2", "3", "4"], ["found astray: by name x: 1 of 4 events, the first at 4"]],
    ["pages that overlap", ["1", "2", "2", "3"], ["page overlap: by name x"]],
    ["another order", ["2", "1", "3"], ["reordered: by name x"]],
  ])("objects to %s", (_, found, told) => {
    const violations = checkFound({ sieve: "name x", expected: ["1", "2", "3"], found });

    expect(violations.map(({ kind, subject }) => `${kind}: ${subject}`)).toEqual(told);
  });
});
