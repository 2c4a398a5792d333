import { describe, expect, it } from "vitest";
import { parseDuration } from "../../src/domain/duration.ts";
import { toDurationText } from "../../src/domain/duration-text.ts";

describe("parseDuration", () => {
  it.each([
    ["1ms", 1],
    ["500ms", 500],
    ["30s", 30_000],
    ["1m", 60_000],
    ["24h", 86_400_000],
    ["7d", 604_800_000],
    ["4w", 2_419_200_000],
    ["3650d", 315_360_000_000],
    ["007s", 7000],
  ])("reads %s", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each([
    "",
    "0s",
    "0ms",
    "7",
    "d",
    "1.5h",
    "-1d",
    "+1d",
    "1 d",
    " 1d",
    "1d\n",
    "1D",
    "1y",
    "1d12h",
    "3651d",
    "1e3s",
    "٣d",
    "999999999999999w",
    "9999999999999999999ms",
    "1constructor",
  ])("refuses %j", (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  it.each(["500ms", "90s", "1m", "24h", "7d", "28d"])("reads what is written as %s again", (text) => {
    expect(toDurationText(parseDuration(text) ?? 0)).toBe(text);
  });
});
