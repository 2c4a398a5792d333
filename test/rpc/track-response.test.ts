import { describe, expect, it } from "vitest";
import type { TrackResult } from "../../gen/sluice/v1/event_service_pb.ts";
import { Outcome } from "../../gen/sluice/v1/event_service_pb.ts";
import { SluiceError } from "../../src/domain/errors.ts";
import type { BatchSummary, EventOutcome } from "../../src/domain/outcome.ts";
import { toTrackBatchResponse, toTrackManyResponse, toTrackResponse } from "../../src/rpc/track-response.ts";
import { allReasons, minuteUsedUp } from "./error-cases.ts";

const position = { epoch: "fake-epoch-1", ms: 1_700_000_000_000, seq: 0 };
const tightest = { limit: 30n, per: { seconds: 60n }, remaining: 0n, resetAfter: { seconds: 60n } };

function resultOf(outcome: EventOutcome): TrackResult {
  const [result] = toTrackManyResponse({ outcomes: [outcome], quotas: [] }).results;
  return result ?? expect.unreachable("there is a result for each outcome");
}

describe("an answer", () => {
  it("has the rate limit with the fewest tokens left", () => {
    const outcome = { kind: "accepted", id: "a", position } as const;

    expect(toTrackResponse({ outcome, quotas: minuteUsedUp }).quota).toMatchObject(tightest);
    expect(toTrackManyResponse({ outcomes: [outcome], quotas: minuteUsedUp }).quota).toMatchObject(tightest);
    expect(toTrackBatchResponse(nothing, minuteUsedUp).quota).toMatchObject(tightest);
  });

  it("has none when the project has none", () => {
    expect(toTrackManyResponse({ outcomes: [], quotas: [] }).quota).toBeUndefined();
    expect(toTrackBatchResponse(nothing).quota).toBeUndefined();
  });
});

describe("toTrackManyResponse", () => {
  const violation = { field: "environment", message: "is none that this key may send to" };

  it.each<[EventOutcome, Partial<Record<keyof TrackResult, unknown>>]>([
    [
      { kind: "accepted", id: "a", position },
      { outcome: Outcome.ACCEPTED, cursor: expect.stringMatching(/^[\w-]{32}$/) },
    ],
    [
      { kind: "duplicate", id: "a", position },
      { outcome: Outcome.DUPLICATE, cursor: expect.stringMatching(/^[\w-]{32}$/) },
    ],
    [
      { kind: "rejected", id: "a", reason: "ENVIRONMENT_FORBIDDEN", violation },
      {
        outcome: Outcome.REJECTED,
        cursor: "",
        rejection: { reason: "ENVIRONMENT_FORBIDDEN", ...violation, retryable: false },
      },
    ],
    [
      { kind: "throttled", id: "a", retryDelayMs: 1500 },
      { outcome: Outcome.THROTTLED, cursor: "", retryDelay: { seconds: 1n, nanos: 500_000_000 } },
    ],
  ])("tells of $kind", (outcome, expected) => {
    const result = resultOf(outcome);

    expect(result).toMatchObject({ id: "a", ...expected });
    expect(result.rejection === undefined).toBe(outcome.kind !== "rejected");
    expect(result.retryDelay === undefined).toBe(outcome.kind !== "throttled");
  });

  const notStored = ["STORAGE_FULL", "STORAGE_UNAVAILABLE", "OVERLOADED", "SHUTTING_DOWN"];

  it.each(allReasons)("says whether an event that failed with %s may be stored", (reason) => {
    const result = resultOf({ kind: "failed", id: "a", error: new SluiceError(reason, "the text") });

    if (notStored.includes(reason)) {
      const rejection = { reason, field: "", message: "the text", retryable: true };
      expect(result).toMatchObject({ id: "a", outcome: Outcome.REJECTED, rejection });
    } else {
      expect(result).toMatchObject({ id: "a", outcome: Outcome.UNKNOWN });
      expect(result.rejection).toBeUndefined();
    }
  });

  it("has no answer that an event was withheld", () => {
    expect(() => resultOf({ kind: "withheld", id: "a" })).toThrow(expect.objectContaining({ reason: "INTERNAL" }));
  });
});

describe("toTrackBatchResponse", () => {
  it("tells of a stream that was throttled", () => {
    const response = toTrackBatchResponse({
      ...nothing,
      acceptedCount: 1,
      throttledCount: 2,
      nextIndex: 1,
      failures: [
        { kind: "throttled", index: 1, id: "a", retryDelayMs: 2000 },
        { kind: "unknown", index: 2, id: "b" },
      ],
    });

    expect(response).toMatchObject({
      acceptedCount: 1n,
      throttledCount: 2n,
      nextIndex: 1n,
      failures: [
        { index: 1n, id: "a", outcome: Outcome.THROTTLED, retryDelay: { seconds: 2n } },
        { index: 2n, id: "b", outcome: Outcome.UNKNOWN },
      ],
    });
  });
});

const nothing: BatchSummary = {
  acceptedCount: 0,
  duplicateCount: 0,
  rejectedCount: 0,
  throttledCount: 0,
  unknownCount: 0,
  lastPosition: undefined,
  nextIndex: 0,
  failures: [],
};
