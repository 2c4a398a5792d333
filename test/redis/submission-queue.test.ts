import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SluiceError } from "../../src/domain/errors.ts";
import type { AppendOptions, AppendSequence, EventToAppend } from "../../src/domain/ports.ts";
import type { ChunkOutcome, ChunkReply } from "../../src/redis/append-events.ts";
import type { Part, QueueAnswer } from "../../src/redis/submission.ts";
import { Submission } from "../../src/redis/submission.ts";
import { createSubmissionQueue } from "../../src/redis/submission-queue.ts";
import { eventToAppend, newProject } from "../support/events.ts";

const project = newProject();
const noneBusy: ReadonlySet<AppendSequence> = new Set();

interface Given extends AppendOptions {
  readonly events?: readonly EventToAppend[];
  readonly onSettled?: () => void;
}

function submissionOf(ids: readonly string[], { events, onSettled = () => {}, ...options }: Given = {}) {
  return new Submission(project, "grpc", events ?? ids.map((id) => eventToAppend(id)), onSettled, options);
}

const idsOf = (parts: readonly Part[]) =>
  parts.flatMap(({ submission, start, end }) => submission.events.slice(start, end).map(({ id }) => id));
/** Of a chunk, when a token comes back every 7 ms. */
const replyOf = (...kinds: ("withheld" | "throttled" | "full")[]): ChunkReply => ({
  outcomes: kinds.map((kind): ChunkOutcome => ({ kind })),
  quotas: [],
  delayMsUntil: (tokens) => 7 * tokens,
});
const ends = ({ outcomes }: QueueAnswer) =>
  outcomes.map((outcome) => (outcome.kind === "failed" ? outcome.error.reason : outcome.kind));

function setUp(limits = {}) {
  return createSubmissionQueue({ chunkEvents: 4, chunkBytes: 10_000, ...limits });
}

describe("createSubmissionQueue", () => {
  it("fills chunks in the order of submission, across submissions", () => {
    const queue = setUp();
    queue.push(submissionOf(["a", "b", "c"]));
    queue.push(submissionOf(["d", "e", "f"]));
    expect(queue.hasFullChunk()).toBe(true);

    expect(idsOf(queue.takeChunk(noneBusy))).toEqual(["a", "b", "c", "d"]);
    expect(queue.hasFullChunk()).toBe(false);
    expect(idsOf(queue.takeChunk(noneBusy))).toEqual(["e", "f"]);
    expect(queue.isEmpty()).toBe(true);
  });

  it("lets nothing but a single event exceed the bytes of a chunk", () => {
    const { length } = eventToAppend("a").bytes;
    const queue = setUp({ chunkBytes: 2 * (length + 500) });
    queue.push(submissionOf(["a", "b", "c"]));
    queue.push(submissionOf([], { events: [eventToAppend("x", { name: "n".repeat(2000) })] }));
    queue.push(submissionOf(["d"]));

    const chunks = Array.from({ length: 4 }, () => idsOf(queue.takeChunk(noneBusy)));

    expect(chunks).toEqual([["a", "b"], ["c"], ["x"], ["d"]]);
  });

  it("has an event's terms count as bytes, so that a chunk of many holds Redis no longer than others", () => {
    const queue = setUp({ chunkEvents: 500, chunkBytes: 1 << 20 });
    const events = Array.from({ length: 500 }, (_, i) => ({ ...eventToAppend(`${i}`), termCount: 40 }));
    queue.push(submissionOf([], { events }));

    expect(queue.hasFullChunk()).toBe(true);
    expect(40 * idsOf(queue.takeChunk(noneBusy)).length).toBeLessThan(5000);
  });

  it("takes an atomic submission whole and alone, whatever its size", () => {
    const queue = setUp({ chunkBytes: 1 });
    queue.push(submissionOf(["a"]));
    queue.push(submissionOf(["1", "2", "3", "4", "5", "6"], { isAtomic: true }));
    queue.push(submissionOf(["b"]));

    const chunks = Array.from({ length: 3 }, () => idsOf(queue.takeChunk(noneBusy)));

    expect(chunks).toEqual([["a"], ["1", "2", "3", "4", "5", "6"], ["b"]]);
  });

  it("passes over busy sequences, which keep their places", () => {
    const queue = setUp();
    const busy = {};
    queue.push(submissionOf(["s1", "s2"], { sequence: busy }));
    queue.push(submissionOf(["a"]));
    queue.push(submissionOf(["s3"], { sequence: busy }));
    queue.push(submissionOf(["b"]));

    expect(idsOf(queue.takeChunk(new Set([busy])))).toEqual(["a", "b"]);
    expect(idsOf(queue.takeChunk(new Set([busy])))).toEqual([]);
    queue.push(submissionOf(["c"]));
    expect(idsOf(queue.takeChunk(noneBusy))).toEqual(["s1", "s2", "s3", "c"]);
  });

  it("settles what its caller gave up, and what belongs to a sequence that failed or was throttled", async () => {
    const queue = setUp();
    const aborted = submissionOf(["a"], { signal: AbortSignal.abort() });
    const failed = submissionOf(["b"], { sequence: { failure: new SluiceError("STORAGE_FULL", "full") } });
    const unknown = submissionOf(["c"], { sequence: { failure: new SluiceError("OUTCOME_UNKNOWN", "lost") } });
    const throttled = submissionOf(["d"], { sequence: { throttledMs: 70 } });
    for (const submission of [aborted, failed, unknown, throttled, submissionOf(["e"])]) queue.push(submission);

    expect(idsOf(queue.takeChunk(noneBusy))).toEqual(["e"]);

    expect(ends(await aborted.answer)).toEqual(["CALL_ENDED"]);
    expect(ends(await failed.answer)).toEqual(["STORAGE_FULL"]);
    expect(ends(await unknown.answer)).toEqual(["STORAGE_UNAVAILABLE"]);
    expect((await throttled.answer).outcomes).toEqual([{ kind: "throttled", retryDelayMs: 70 }]);
    expect(queue.isEmpty()).toBe(true);
  });

  it("fails all that waits, but for what was taken already", async () => {
    const queue = setUp();
    const submission = submissionOf(["a", "b", "c", "d", "e"]);
    queue.push(submission);
    const [part] = queue.takeChunk(noneBusy);

    queue.failAll(new SluiceError("STORAGE_UNAVAILABLE", "away"));
    submission.fail(part?.start ?? 0, part?.end ?? 0, new SluiceError("OUTCOME_UNKNOWN", "lost"));

    const unknown = Array.from({ length: 4 }, () => "OUTCOME_UNKNOWN");
    expect(ends(await submission.answer)).toEqual([...unknown, "STORAGE_UNAVAILABLE"]);
    expect(queue.isEmpty()).toBe(true);
    expect(queue.hasFullChunk()).toBe(false);
  });

  it("hands out every event once and each sequence in order, whatever is busy meanwhile", () => {
    const anySubmission = fc.record({
      sequence: fc.nat(2),
      count: fc.integer({ min: 1, max: 9 }),
      isAtomic: fc.boolean(),
      busy: fc.subarray([0, 1, 2]),
    });
    fc.assert(
      fc.property(fc.array(anySubmission, { minLength: 1, maxLength: 20 }), (all) => {
        const queue = setUp();
        const sequences: AppendSequence[] = [{}, {}, {}];
        const taken: string[] = [];
        const take = (busy: ReadonlySet<AppendSequence>) => {
          const parts = queue.takeChunk(busy);
          const hasAtomic = parts.some(({ submission }) => submission.isAtomic);
          if (hasAtomic) expect(parts).toHaveLength(1);
          else expect(idsOf(parts).length).toBeLessThanOrEqual(4);
          for (const { submission } of parts) expect(busy).not.toContain(submission.sequence);
          taken.push(...idsOf(parts));
          return parts.length;
        };
        for (const [n, { sequence, count, isAtomic, busy }] of all.entries()) {
          const ids = Array.from({ length: count }, (_, i) => `${sequence}/${n * 10 + i + 100}`);
          const own = sequences[sequence];
          queue.push(submissionOf(ids, { isAtomic, ...(own && { sequence: own }) }));
          take(new Set(busy.flatMap((i) => sequences[i] ?? [])));
        }
        while (take(noneBusy) > 0);

        expect(queue.isEmpty()).toBe(true);
        expect(queue.hasFullChunk()).toBe(false);
        expect(taken).toHaveLength(all.reduce((sum, { count }) => sum + count, 0));
        for (const [i] of sequences.entries()) {
          const own = taken.filter((id) => id.startsWith(`${i}/`));
          expect(own).toEqual(own.toSorted());
        }
      }),
    );
  });
});

describe("Submission", () => {
  it("keeps the first outcome of an event, and releases each once", async () => {
    let released = 0;
    const submission = submissionOf(["a", "b"], { onSettled: () => released++ });
    submission.fail(0, 1, new SluiceError("OUTCOME_UNKNOWN", "gone"));
    submission.settle({ start: 0, end: 2 }, replyOf("withheld", "withheld"), 0);
    submission.throttle(0, 2, 5);

    expect(ends(await submission.answer)).toEqual(["OUTCOME_UNKNOWN", "withheld"]);
    expect(released).toBe(2);
  });

  it("does not fail its sequence with what comes after every event is settled", () => {
    const sequence: AppendSequence = {};
    const submission = submissionOf(["a"], { sequence });
    submission.settle({ start: 0, end: 1 }, replyOf("withheld"), 0);

    submission.fail(0, 1, new SluiceError("OUTCOME_UNKNOWN", "gone"));

    expect(sequence.failure).toBeUndefined();
  });

  it("takes its sequence's fate from its own: failed when the project is full, throttled without a token", () => {
    const full: AppendSequence = {};
    submissionOf(["a"], { sequence: full }).settle({ start: 0, end: 1 }, replyOf("full"), 0);
    const throttled: AppendSequence = {};
    submissionOf(["a", "b"], { sequence: throttled }).settle({ start: 0, end: 1 }, replyOf("throttled"), 0);

    expect(full.failure?.reason).toBe("STORAGE_FULL");
    expect(throttled).toEqual({ throttledMs: 7 });
  });

  it("names the time that its own events have to wait, those that were withheld too", async () => {
    const submission = submissionOf(["a", "b", "c"]);
    submission.settle({ start: 0, end: 3 }, replyOf("withheld", "throttled", "throttled"), 0);

    expect((await submission.answer).outcomes).toEqual([
      { kind: "withheld" },
      { kind: "throttled", retryDelayMs: 14 },
      { kind: "throttled", retryDelayMs: 21 },
    ]);
  });
});
