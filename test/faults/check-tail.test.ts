import { describe, expect, it } from "vitest";
import { checkCuts, checkTail } from "./check-tail.ts";
import type { ListedEvent } from "./checker.ts";
import type { GivenEvent } from "./tail.ts";

const listed = (mark: string): ListedEvent => ({ mark, id: mark, cursor: `cursor of ${mark}`, digest: `of ${mark}` });
const given = (mark: string): GivenEvent => ({ cursor: `cursor of ${mark}`, digest: `of ${mark}` });

describe("checkTail", () => {
  const there = ["a", "b", "c"].map(listed);

  it("has nothing against each event once, in order", () => {
    expect(checkTail(["a", "b", "c"].map(given), there)).toEqual([]);
    expect(checkTail([], [])).toEqual([]);
  });

  it.each([
    ["an event that it left out", ["a", "c"].map(given), ["tail gap"]],
    ["an end that it has not come to", [given("a")], ["tail gap", "tail gap"]],
    ["an event that came twice", ["a", "b", "b", "c"].map(given), ["tail overlap"]],
    ["events that came again after a while", ["a", "b", "c", "b", "c"].map(given), ["tail overlap", "tail overlap"]],
    ["events in another order", ["a", "c", "b"].map(given), ["reordered"]],
    ["an event that is not there", ["a", "b", "c", "d"].map(given), ["tail astray"]],
    ["another content", [given("a"), { ...given("b"), digest: "x" }, given("c")], ["altered"]],
  ])("objects to %s", (_, events, kinds) => {
    expect(checkTail(events, there).map(({ kind }) => kind)).toEqual(kinds);
  });
});

describe("checkCuts", () => {
  it("objects to each reason that is none, once", () => {
    const cuts = ["no answer", "INTERNAL", "silent", "INTERNAL"];

    expect(checkCuts({ cuts }, ["no answer"]).map(({ kind, subject }) => `${kind}: ${subject}`)).toEqual([
      "tail cut: INTERNAL",
      "tail cut: silent",
    ]);
    expect(checkCuts({ cuts: [] }, [])).toEqual([]);
  });
});
