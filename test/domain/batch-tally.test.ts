import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createBatchTally } from "../../src/domain/batch-tally.ts";
import { isBefore } from "../../src/domain/cursor.ts";
import { SluiceError } from "../../src/domain/errors.ts";
import type { EventOutcome } from "../../src/domain/outcome.ts";

const epoch = "abcdefghijkl";
const at = (ms: number) => ({ epoch, ms, seq: 0 });
const accepted = (id: string, ms = 1): EventOutcome => ({ kind: "accepted", id, position: at(ms) });
const duplicate = (id: string): EventOutcome => ({ kind: "duplicate", id, position: at(9) });
const violation = { field: "name", message: "is required" };
const rejected = (id: string): EventOutcome => ({ kind: "rejected", id, reason: "EVENT_INVALID", violation });
const failed = (id: string, reason: "STORAGE_FULL" | "OUTCOME_UNKNOWN"): EventOutcome => ({
  kind: "failed",
  id,
  error: new SluiceError(reason, reason),
});
const throttled = (id: string): EventOutcome => ({ kind: "throttled", id, retryDelayMs: 2000 });

function tally(...messages: EventOutcome[][]) {
  const counted = createBatchTally();
  for (const message of messages) counted.add(message);
  return counted;
}

const arbitraryOutcome: fc.Arbitrary<EventOutcome> = fc.oneof(
  { arbitrary: fc.nat(9).map((ms) => accepted("a", ms)), weight: 6 },
  { arbitrary: fc.constantFrom(duplicate("d"), rejected("r")), weight: 6 },
  {
    arbitrary: fc.constantFrom(failed("f", "STORAGE_FULL"), failed("u", "OUTCOME_UNKNOWN"), throttled("t")),
    weight: 1,
  },
);
const arbitraryStream = fc.array(fc.array(arbitraryOutcome, { maxLength: 5 }), { maxLength: 8 });

describe("createBatchTally", () => {
  it("begins with nothing", () => {
    expect(tally().failure()).toBeUndefined();
    expect(tally().summary()).toEqual({
      acceptedCount: 0,
      duplicateCount: 0,
      rejectedCount: 0,
      throttledCount: 0,
      unknownCount: 0,
      lastPosition: undefined,
      nextIndex: 0,
      failures: [],
    });
  });

  it("numbers events over all messages", () => {
    const { nextIndex, failures } = tally([accepted("a"), duplicate("b")], [accepted("c"), rejected("d")]).summary();

    expect(nextIndex).toBe(4);
    expect(failures).toEqual([{ kind: "rejected", index: 3, id: "d", reason: "EVENT_INVALID", violation }]);
  });

  it("stops at the first event that failed, and keeps its error", () => {
    const counted = tally([accepted("a", 1), failed("b", "STORAGE_FULL"), accepted("c", 2), rejected("d")]);

    expect(counted.failure()?.reason).toBe("STORAGE_FULL");
    expect(counted.summary()).toMatchObject({
      acceptedCount: 1,
      rejectedCount: 0,
      nextIndex: 1,
      lastPosition: at(1),
      unknownCount: 1,
      failures: [{ kind: "unknown", index: 2, id: "c" }],
    });
  });

  it("stops at the first event that was throttled, which is no failure", () => {
    const counted = tally([accepted("a", 1), throttled("b")], [rejected("c"), accepted("d", 2), throttled("e")]);

    expect(counted.failure()).toBeUndefined();
    expect(counted.summary()).toEqual({
      acceptedCount: 1,
      duplicateCount: 0,
      rejectedCount: 0,
      throttledCount: 2,
      unknownCount: 1,
      nextIndex: 1,
      lastPosition: at(1),
      failures: [
        { kind: "throttled", index: 1, id: "b", retryDelayMs: 2000 },
        { kind: "unknown", index: 3, id: "d" },
        { kind: "throttled", index: 4, id: "e", retryDelayMs: 2000 },
      ],
    });
  });

  it("keeps the error of an event that failed behind one that was throttled", () => {
    const counted = tally([throttled("a"), failed("b", "STORAGE_FULL")]);

    expect(counted.failure()?.reason).toBe("STORAGE_FULL");
    expect(counted.summary()).toMatchObject({ nextIndex: 0, throttledCount: 1, unknownCount: 0 });
  });

  it("tells of an event that failed only when it may have been stored", () => {
    expect(tally([failed("a", "OUTCOME_UNKNOWN"), failed("b", "STORAGE_FULL")]).summary()).toMatchObject({
      unknownCount: 1,
      failures: [{ kind: "unknown", index: 0, id: "a" }],
    });
  });

  it("tells of the first 1,000 failures, and counts the others", () => {
    const { rejectedCount, failures } = tally(...Array(3).fill(Array(500).fill(rejected("r")))).summary();

    expect(rejectedCount).toBe(1500);
    expect(failures.map((failure) => failure.index)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
  });

  it("adds up to nextIndex, which is where the first event without an answer is, or the end", () => {
    fc.assert(
      fc.property(arbitraryStream, (messages) => {
        const { acceptedCount, duplicateCount, rejectedCount, nextIndex } = tally(...messages).summary();
        const stop = messages.flat().findIndex(({ kind }) => kind === "failed" || kind === "throttled");

        expect(nextIndex).toBe(stop === -1 ? messages.flat().length : stop);
        expect(acceptedCount + duplicateCount + rejectedCount).toBe(nextIndex);
      }),
    );
  });

  it("names every rejected event below nextIndex, every throttled and unknown one from there on, in order", () => {
    fc.assert(
      fc.property(arbitraryStream, (messages) => {
        const { rejectedCount, throttledCount, unknownCount, nextIndex, failures } = tally(...messages).summary();
        const below = failures.filter(({ index }) => index < nextIndex);
        const above = failures.filter(({ index }) => index >= nextIndex);

        expect(below.map(({ kind }) => kind)).toEqual(Array(rejectedCount).fill("rejected"));
        expect(above.filter(({ kind }) => kind === "throttled")).toHaveLength(throttledCount);
        expect(above.filter(({ kind }) => kind === "unknown")).toHaveLength(unknownCount);
        expect(above).toHaveLength(throttledCount + unknownCount);
        expect(failures.map(({ index }) => index)).toEqual(failures.map(({ index }) => index).sort((a, b) => a - b));
      }),
    );
  });

  it("keeps the highest position that was stored below nextIndex", () => {
    fc.assert(
      fc.property(arbitraryStream, (messages) => {
        const { lastPosition, nextIndex } = tally(...messages).summary();
        const stored = messages
          .flat()
          .slice(0, nextIndex)
          .filter((outcome) => outcome.kind === "accepted");

        expect(stored.some(({ position }) => lastPosition === undefined || isBefore(lastPosition, position))).toBe(
          false,
        );
        expect(lastPosition === undefined).toBe(stored.length === 0);
      }),
    );
  });

  it("counts the same however the events are spread over messages", () => {
    fc.assert(
      fc.property(arbitraryStream, (messages) => {
        expect(tally(...messages).summary()).toEqual(tally(messages.flat()).summary());
      }),
    );
  });
});
