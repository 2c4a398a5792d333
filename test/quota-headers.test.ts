import { describe, expect, it } from "vitest";
import { toDurationText } from "../src/domain/duration-text.ts";
import { SluiceError } from "../src/domain/errors.ts";
import type { Quota } from "../src/domain/quota.ts";
import { addQuotaHeaders } from "../src/quota-headers.ts";
import { addErrorHeaders } from "../src/rpc/error-headers.ts";

const quota = (events: number, perMs: number, remaining: number, resetAfterMs: number): Quota => ({
  limit: { events, perMs },
  remaining,
  resetAfterMs,
});

describe("addQuotaHeaders", () => {
  it("has an entry for each rate limit, in order, in whole seconds rounded up", () => {
    const header = new Headers();
    addQuotaHeaders(header, [quota(30, 60_000, 29, 1001), quota(15_000, 86_400_000, 0, 86_400_000)]);

    expect(Object.fromEntries(header)).toEqual({
      "ratelimit-policy": `"30-per-1m";q=30;w=60, "15000-per-24h";q=15000;w=86400`,
      ratelimit: `"30-per-1m";r=29;t=2, "15000-per-24h";r=0;t=86400`,
    });
  });

  it("rounds a window of less than a second up", () => {
    const header = new Headers();
    addQuotaHeaders(header, [quota(5, 250, 5, 0)]);

    expect(Object.fromEntries(header)).toEqual({
      "ratelimit-policy": `"5-per-250ms";q=5;w=1`,
      ratelimit: `"5-per-250ms";r=5;t=0`,
    });
  });

  it("adds nothing without rate limits", () => {
    const header = new Headers();
    addQuotaHeaders(header, []);

    expect([...header]).toEqual([]);
  });
});

describe("addErrorHeaders", () => {
  it.each([
    ["a delay", new SluiceError("RATE_LIMITED", "too many", { retryDelayMs: 2001 }), "3"],
    ["no delay to speak of", new SluiceError("RATE_LIMITED", "too many", { retryDelayMs: 0 }), "1"],
    ["UNAVAILABLE", new SluiceError("STORAGE_UNAVAILABLE", "away"), "1"],
    ["UNAVAILABLE with a delay", new SluiceError("OVERLOADED", "busy", { retryDelayMs: 2500 }), "3"],
    ["neither", new SluiceError("EVENT_INVALID", "bad"), null],
  ])("says when to try again: %s", (_, error, retryAfter) => {
    const header = new Headers();
    addErrorHeaders(header, error);

    expect(header.get("retry-after")).toBe(retryAfter);
  });
});

describe("toDurationText", () => {
  it.each([
    [1, "1ms"],
    [1500, "1500ms"],
    [1000, "1s"],
    [60_000, "1m"],
    [90_000, "90s"],
    [3_600_000, "1h"],
    [86_400_000, "24h"],
    [129_600_000, "36h"],
    [172_800_000, "2d"],
    [7 * 86_400_000, "7d"],
    [0, "0ms"],
  ])("writes %i ms as %s", (ms, text) => {
    expect(toDurationText(ms)).toBe(text);
  });
});
