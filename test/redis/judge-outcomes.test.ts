import { describe, expect, it } from "vitest";
import type { StoredEvent } from "../../src/domain/ports.ts";
import { createJudge } from "../../src/redis/judge-outcomes.ts";
import type { QueueOutcome } from "../../src/redis/submission.ts";
import { eventToAppend, newProject } from "../support/events.ts";
import { endsOf } from "../support/open-event-log.ts";

const position = { epoch: "e", ms: 1, seq: 0 };
const known = (isSamePayloadHash: boolean): QueueOutcome => ({ kind: "known", position, isSamePayloadHash });

/** Judges one event, of which the log holds this original. */
async function judgeOne(outcome: QueueOutcome | undefined, readOriginal: () => Promise<StoredEvent | undefined>) {
  let reads = 0;
  const judge = createJudge(() => {
    reads++;
    return readOriginal();
  });
  const results = await judge(newProject(), [eventToAppend("a")], outcome === undefined ? [] : [outcome]);
  return { end: endsOf({ results, quotas: [] })[0], reads };
}

function original(value?: number): StoredEvent {
  const { bytes } = eventToAppend("a", value === undefined ? {} : { value });
  return { position, bytes, entrance: "grpc", assignedId: undefined, isTimeAbsent: true, isTest: false };
}

describe("createJudge", () => {
  it.each<[string, QueueOutcome | undefined, () => Promise<StoredEvent | undefined>, string, number]>([
    ["takes the same bytes for the same event, unread", known(true), () => Promise.reject(), "duplicate", 0],
    ["finds the same event in other bytes", known(false), async () => original(), "duplicate", 1],
    ["finds another event", known(false), async () => original(2), "conflict", 1],
    ["takes an event whose original is gone for another", known(false), async () => undefined, "conflict", 1],
    ["does not guess when it cannot read", known(false), () => Promise.reject(new Error()), "OUTCOME_UNKNOWN", 1],
    ["accepts what was added", { kind: "added", position }, () => Promise.reject(), "accepted", 0],
    ["passes on what was withheld", { kind: "withheld" }, () => Promise.reject(), "withheld", 0],
    ["notices a missing outcome", undefined, () => Promise.reject(), "INTERNAL", 0],
  ])("%s", async (_, outcome, readOriginal, end, reads) => {
    expect(await judgeOne(outcome, readOriginal)).toEqual({ end, reads });
  });

  it("reads an original once for the events that come with its id one after the other", async () => {
    const reads: number[] = [];
    const judge = createJudge(async (_, { seq }) => {
      reads.push(seq);
      return original(seq);
    });
    const seqs = [1, 1, 1, 2, 2, 1];
    const outcomes = seqs.map((seq): QueueOutcome => {
      return { kind: "known", position: { ...position, seq }, isSamePayloadHash: false };
    });

    const results = await judge(
      newProject(),
      seqs.map(() => eventToAppend("a", { value: 1 })),
      outcomes,
    );

    expect(endsOf({ results, quotas: [] })).toEqual([
      ...["duplicate", "duplicate", "duplicate"],
      ...["conflict", "conflict", "duplicate"],
    ]);
    expect(reads).toEqual([1, 2, 1]);
  });
});
