import { describe, expect, it } from "vitest";
import { planIndexes } from "../../../src/redis/index-plan.ts";
import { type Build, findNextBuild } from "../../../src/redis/maintenance/next-build.ts";
import { parseStreamId } from "../../../src/redis/stream-place.ts";

const plan = planIndexes(["status"]);
const statusId = plan.ids[2] ?? "";
const whole = `n i ${statusId}`;

/** What comes next with these segments, of events from 10-0 to 99-0. */
function findIn(segments: Record<string, string>, current?: string): Build | undefined {
  return findNextBuild({
    plan,
    current,
    oldest: parseStreamId("10-0"),
    newest: parseStreamId("99-0"),
    segments: Object.entries(segments).map(([id, ids]) => ({
      id,
      base: parseStreamId(id),
      indexIds: new Set(ids.split(" ")),
    })),
  });
}

function build(base: string | undefined, behind: string | undefined, ordinals: number[]): Build {
  return {
    base: base === undefined ? undefined : parseStreamId(base),
    behind: behind === undefined ? undefined : parseStreamId(behind),
    newest: parseStreamId("99-0"),
    ordinals,
  };
}

describe("findNextBuild", () => {
  it.each<[string, Record<string, string>, string | undefined, Build | undefined]>([
    ["nothing, when all is there", { "10-0": whole, "50-0": whole }, "50-0", undefined],
    ["nothing in front of a first segment whose events are partly gone", { "5-0": whole }, "5-0", undefined],
    ["the newest that lacks some", { "10-0": "n i", "30-0": "n i", "50-0": whole }, "50-0", build("30-0", "50-0", [2])],
    [
      "an older one once the newer ones are whole",
      { "10-0": "n", "30-0": whole },
      "30-0",
      build("10-0", "30-0", [1, 2]),
    ],
    ["not the current one", { "10-0": whole, "50-0": "n i" }, "50-0", undefined],
    [
      "the newest one too when none is current",
      { "10-0": "", "50-0": "n i" },
      undefined,
      build("50-0", undefined, [2]),
    ],
    ["events in front of all segments", { "30-0": whole }, "30-0", build(undefined, "30-0", [0, 1, 2])],
    ["segments before the events in front of them", { "30-0": "n i" }, undefined, build("30-0", undefined, [2])],
    ["all events when there are no segments", {}, undefined, build(undefined, undefined, [0, 1, 2])],
  ])("finds %s", (_, segments, current, expected) => {
    expect(findIn(segments, current)).toEqual(expected);
  });

  it("finds nothing without a plan, and without events", () => {
    const place = parseStreamId("1-0");
    expect(
      findNextBuild({ plan: undefined, segments: [], current: undefined, oldest: place, newest: place }),
    ).toBeUndefined();
    expect(
      findNextBuild({ plan, segments: [], current: undefined, oldest: undefined, newest: undefined }),
    ).toBeUndefined();
  });
});
