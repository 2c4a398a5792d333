import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SluiceError } from "../../src/domain/errors.ts";
import type { OfferedEvent } from "../../src/domain/event.ts";
import { guardIterator } from "../../src/domain/guarded-iterator.ts";
import type { BatchSummary } from "../../src/domain/outcome.ts";
import type { Caller, Project } from "../../src/domain/project.ts";
import type { Quota } from "../../src/domain/quota.ts";
import { StreamCut } from "../../src/domain/stream-cut.ts";
import { createTrack } from "../../src/domain/track.ts";
import { callerOf, encodeEvent, newProject } from "../support/events.ts";
import type { FakeClock } from "../support/fake-clock.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import type { FakeEventLog } from "../support/fake-event-log.ts";
import { createFakeEventLog, fakeRetryDelayMs } from "../support/fake-event-log.ts";
import { useCrashWatch } from "../support/use-crash-watch.ts";
import { waitUntil } from "../support/wait-until.ts";

useCrashWatch();

const good = (id: string) => encodeEvent({ id, name: "click" });
const goods = (...ids: string[]) => ids.map(good);
const nameless = encodeEvent({ id: "nameless" });

interface Given {
  /** How many tokens a full bucket of the project has. */
  readonly tokens?: number;
  readonly log?: FakeEventLog;
  readonly clock?: FakeClock;
  readonly remainingMs?: Caller["remainingMs"];
}

function setUp({ tokens = 2, log = createFakeEventLog(), clock = createFakeClock(), remainingMs }: Given = {}) {
  const project = newProject({ rateLimits: [{ events: tokens, perMs: 60_000 }] });
  const { trackBatch } = createTrack({ log, clock });
  const caller = callerOf(project, remainingMs && { remainingMs });

  /** Sends a stream; a stream that is cut is answered with what it was cut by, too. */
  function send(source: AsyncIterable<readonly OfferedEvent[]>) {
    const messages = guardIterator(source, 60_000);
    const answer: Promise<{ summary: BatchSummary; quotas?: readonly Quota[]; cut?: string }> = trackBatch(
      caller,
      messages,
    ).catch((thrown: unknown) => {
      if (!(thrown instanceof StreamCut)) throw thrown;
      return { summary: thrown.summary, cut: thrown.reason };
    });
    return { answer, interrupt: messages.interrupt };
  }
  return { log, clock, project, send };
}

async function* stream(...messages: OfferedEvent[][]) {
  yield* messages;
}

/** Sends these messages, and then nothing, without an end. */
async function* silence(...messages: OfferedEvent[][]) {
  yield* messages;
  await new Promise(() => {});
}

/** A clock whose waits are over at once. */
const hastyClock = (onWait: () => void = () => {}) => createFakeClock({ onWait });

const storedIds = (log: FakeEventLog, project: Project) =>
  log.stored(project).map(({ bytes }) => Buffer.from(bytes).toString("latin1"));
const idsOf = (events: readonly Uint8Array[]) => events.map((bytes) => Buffer.from(bytes).toString("latin1"));
const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

describe("Track.trackBatch, throttled", () => {
  it("holds events back until there are tokens, and then stores them in their order", async () => {
    const { log, clock, project, send } = setUp();
    const { answer } = send(stream(goods("a", "b", "c"), goods("d")));
    await waitUntil(() => clock.waiting() === 1);
    expect(storedIds(log, project)).toEqual(idsOf(goods("a", "b")));
    log.refill(project);
    clock.advance(fakeRetryDelayMs);

    expect(await answer).toMatchObject({
      summary: { acceptedCount: 4, nextIndex: 4, throttledCount: 0, failures: [] },
      quotas: [{ remaining: 0 }],
    });
    expect(storedIds(log, project)).toEqual(idsOf(goods("a", "b", "c", "d")));
    expect(clock.waits).toEqual([fakeRetryDelayMs]);
  });

  it("stores what a silent sender's last message held, without another one", async () => {
    const { log, clock, project, send } = setUp();
    const { answer, interrupt } = send(silence(goods("a", "b", "c")));
    await waitUntil(() => clock.waiting() === 1);
    log.refill(project);
    clock.advance(fakeRetryDelayMs);

    await waitUntil(() => log.stored(project).length === 3);
    interrupt(new SluiceError("STREAM_IDLE", "no message"));
    expect(await answer).toMatchObject({ cut: "STREAM_IDLE", summary: { acceptedCount: 3, nextIndex: 3 } });
  });

  it("gives messages that come after it has been held back the full speed again", async () => {
    const { log, clock, project, send } = setUp({ tokens: 1 });
    const next = Promise.withResolvers<void>();
    async function* source() {
      yield goods("a", "b");
      await next.promise;
      log.refill(project);
      yield goods("c");
    }
    const { answer } = send(source());
    await waitUntil(() => clock.waiting() === 1);
    log.refill(project);
    clock.advance(fakeRetryDelayMs);
    await waitUntil(() => log.stored(project).length === 2);
    next.resolve();

    expect((await answer).summary).toMatchObject({ acceptedCount: 3 });
    expect(clock.waits).toHaveLength(1);
    expect(log.appends.map(({ events }) => events.map(({ id }) => id))).toEqual([["a", "b"], ["b"], ["c"]]);
  });

  it("lets rejected events and duplicates have their answers, whatever is held back", async () => {
    const { log, clock, project, send } = setUp({ tokens: 1 });
    const { answer } = send(stream([good("a"), good("b"), nameless, good("a")]));
    await waitUntil(() => clock.waiting() === 1);
    log.refill(project);
    clock.advance(fakeRetryDelayMs);

    expect((await answer).summary).toMatchObject({
      acceptedCount: 2,
      rejectedCount: 1,
      duplicateCount: 1,
      nextIndex: 4,
      throttledCount: 0,
    });
  });

  it.each([
    ["which a sender that is still sending is told at once", silence],
    ["which a sender that has ended its stream is told", stream],
  ])("gives up after 30 s in all, %s: with a response, not an error", async (_, source) => {
    const { log, clock, project, send } = setUp({ clock: hastyClock() });
    const { answer } = send(source([good("a"), nameless, good("b"), good("c")], goods("d", "e")));

    const answered = await answer;
    expect(answered.cut).toBeUndefined();
    expect(answered).toMatchObject({
      summary: {
        acceptedCount: 2,
        rejectedCount: 1,
        nextIndex: 3,
        throttledCount: 3,
        unknownCount: 0,
        failures: [
          { kind: "rejected", index: 1 },
          { kind: "throttled", index: 3, id: "c", retryDelayMs: fakeRetryDelayMs },
          { kind: "throttled", index: 4, id: "d" },
          { kind: "throttled", index: 5, id: "e" },
        ],
      },
      quotas: [{ remaining: 0 }],
    });
    expect(sum(clock.waits)).toBe(30_000);
    expect(storedIds(log, project)).toEqual(idsOf(goods("a", "b")));
  });

  it("counts the wait over all messages", async () => {
    const project: { refill?: () => void } = {};
    const clock = hastyClock(() => project.refill?.());
    const given = setUp({ tokens: 1, clock });
    project.refill = () => given.log.refill(given.project, 1);
    const messages = Array.from({ length: 40 }, (_, i) => goods(`${i}`));

    const { summary } = await given.send(stream(...messages)).answer;

    expect(summary).toMatchObject({ acceptedCount: 16, nextIndex: 16 });
    expect(sum(clock.waits)).toBe(30_000);
    expect(storedIds(given.log, given.project)).toEqual(idsOf(messages.flat().slice(0, 16)));
  });

  it("does not wait for what waited behind others, if there are tokens by then", async () => {
    const { log, clock, project, send } = setUp({ tokens: 4 });
    const messages = [goods("a", "b", "c", "d", "e"), goods("f"), goods("g"), goods("h")];
    const { answer } = send(stream(...messages));
    await waitUntil(() => clock.waiting() === 1);
    log.refill(project);
    clock.advance(fakeRetryDelayMs);

    expect((await answer).summary).toMatchObject({ acceptedCount: 8 });
    expect(clock.waits).toHaveLength(1);
  });

  it("comes to an end even when tokens are always said to be there in no time", async () => {
    const { clock, send } = setUp({ log: createFakeEventLog({ retryDelayMs: 0 }), clock: hastyClock() });
    const { summary } = await send(stream(goods("a", "b", "c"))).answer;

    expect(summary).toMatchObject({ nextIndex: 2, throttledCount: 1 });
    expect(sum(clock.waits)).toBe(30_000);
    expect(clock.waits.length).toBeLessThanOrEqual(1500);
  });

  it.each([
    ["the next token comes too late for the deadline", 2400, 2000, []],
    ["the next token comes later than 30 s from now", Number.POSITIVE_INFINITY, 30_001, []],
    ["the deadline leaves one wait", 3000, 2000, [2000]],
    ["the deadline has passed", -1, 1, []],
  ])("gives up when %s", async (_, deadlineMs, retryDelayMs, waits) => {
    const clock = hastyClock();
    const startMs = clock.nowMs();
    const remainingMs = () => startMs + deadlineMs - clock.nowMs();
    const { send } = setUp({ log: createFakeEventLog({ retryDelayMs }), clock, remainingMs });

    expect((await send(silence(goods("a", "b", "c"))).answer).summary).toMatchObject({
      nextIndex: 2,
      throttledCount: 1,
      failures: [{ retryDelayMs }],
    });
    expect(clock.waits).toEqual(waits);
  });

  it.each([
    ["the server shuts down", "SHUTTING_DOWN"],
    ["the caller is gone", "CALL_ENDED"],
  ] as const)("ends the wait at once when %s, and stores nothing more", async (_, reason) => {
    const { log, clock, project, send } = setUp();
    const { answer, interrupt } = send(silence(goods("a", "b", "c"), goods("d")));
    await waitUntil(() => clock.waiting() === 1);
    log.refill(project);
    interrupt(new SluiceError(reason, reason));

    expect(await answer).toMatchObject({ cut: reason, summary: { nextIndex: 2, throttledCount: 2 } });
    expect(log.stored(project)).toHaveLength(2);
  });

  it("ends the wait at once when the server shuts down after the sender has ended its stream", async () => {
    const { clock, send } = setUp();
    const { answer, interrupt } = send(stream(goods("a", "b", "c")));
    await waitUntil(() => clock.waiting() === 1);
    interrupt(new SluiceError("SHUTTING_DOWN", "the server is shutting down"));

    expect((await answer).summary).toMatchObject({ nextIndex: 2, throttledCount: 1 });
  });

  it("offers all that waits together, not message by message", async () => {
    const { log, clock, project, send } = setUp({ tokens: 20 });
    const ids = Array.from({ length: 40 }, (_, i) => `e${i}`);
    log.hold();
    const { answer } = send(stream(...ids.map((id) => goods(id))));
    await waitUntil(() => log.appends.length === 40);
    log.release();
    await waitUntil(() => clock.waiting() === 1);
    log.refill(project);
    clock.advance(fakeRetryDelayMs);

    expect((await answer).summary).toMatchObject({ acceptedCount: 40, throttledCount: 0 });
    expect(storedIds(log, project)).toEqual(idsOf(goods(...ids)));
    expect(log.appends.slice(40).map(({ events }) => events.length)).toEqual([20]);
  });

  it("counts what waits as queued until it is answered, and reads no more meanwhile", async () => {
    const { log, clock, project, send } = setUp({ tokens: 1 });
    let readCount = 0;
    async function* source() {
      for (; readCount < 100; readCount++) yield goods(`e${readCount}`);
    }
    const { answer, interrupt } = send(source());
    await waitUntil(() => clock.waiting() === 1);
    const heldBytes = log.heldBytes();

    expect(heldBytes).toBeGreaterThan(0);
    expect(heldBytes).toBeLessThanOrEqual(
      sum(goods(...Array.from({ length: readCount + 1 }, (_, i) => `e${i}`)).map((bytes) => bytes.length)),
    );
    expect(readCount).toBeLessThan(10);
    interrupt(new SluiceError("SHUTTING_DOWN", "the server is shutting down"));
    await answer;
    expect(log.heldBytes()).toBe(0);
    expect(storedIds(log, project)).toHaveLength(1);
  });

  it("looks again every 2 s at the latest, as limits may have been raised", async () => {
    const log = createFakeEventLog({ retryDelayMs: 25_000 });
    const { clock, project, send } = setUp({ log, tokens: 1 });
    const { answer } = send(stream(goods("a", "b")));
    await waitUntil(() => clock.waiting() === 1);
    log.refill(project);
    clock.advance(2000);

    expect((await answer).summary).toMatchObject({ acceptedCount: 2, throttledCount: 0 });
    expect(clock.waits).toEqual([2000]);
  });

  it("is cut at its next message once its key no longer allows it", async () => {
    const project = newProject();
    const log = createFakeEventLog();
    const { trackBatch } = createTrack({ log, clock: createFakeClock() });
    let isRevoked = false;
    const recheckKey = () => {
      if (isRevoked) throw new SluiceError("KEY_INVALID", "this key opens no project");
    };
    async function* source() {
      yield goods("a");
      isRevoked = true;
      yield goods("b");
    }

    const cut = await trackBatch(callerOf(project, { recheckKey }), guardIterator(source(), 60_000)).catch(
      (thrown) => thrown,
    );

    expect(cut).toMatchObject({ reason: "KEY_INVALID", summary: { acceptedCount: 1, nextIndex: 1 } });
    expect(storedIds(log, project)).toEqual(idsOf(goods("a")));
  });

  it("tells of a malformed message at once, whatever is held back", async () => {
    const { clock, send } = setUp();
    const { answer } = send(silence(goods("a", "b", "c"), []));

    expect(await answer).toMatchObject({ cut: "MALFORMED", summary: { nextIndex: 2, throttledCount: 1 } });
    expect(clock.waiting()).toBe(0);
  });

  it("is cut, with its summary, when storage is away after a wait; nothing behind is stored", async () => {
    const { log, clock, project, send } = setUp();
    const { answer } = send(silence(goods("a", "b", "c"), goods("d")));
    await waitUntil(() => clock.waiting() === 1);
    log.refill(project);
    log.failWhen(() => "STORAGE_UNAVAILABLE");
    clock.advance(fakeRetryDelayMs);

    expect(await answer).toMatchObject({
      cut: "STORAGE_UNAVAILABLE",
      summary: { acceptedCount: 2, nextIndex: 2, throttledCount: 0, unknownCount: 0, failures: [] },
    });
    expect(storedIds(log, project)).toEqual(idsOf(goods("a", "b")));
  });

  it("is cut at once when an event failed, even if others of its message were throttled", async () => {
    const { log, clock, project, send } = setUp({ tokens: 1 });
    log.failWhen(({ id }) => (id === "b" ? "OUTCOME_UNKNOWN" : undefined));
    const { answer } = send(silence(goods("b", "c")));

    expect(await answer).toMatchObject({
      cut: "OUTCOME_UNKNOWN",
      summary: { nextIndex: 0, unknownCount: 1, throttledCount: 1 },
    });
    expect(clock.waits).toEqual([]);
    expect(storedIds(log, project)).toEqual(idsOf(goods("b")));
  });

  it("says what is left even when no event was valid", async () => {
    const { send } = setUp({ tokens: 7 });

    expect(await send(stream([nameless])).answer).toMatchObject({ quotas: [{ remaining: 7 }] });
  });

  it("stores a prefix of what was offered, each event once and in order, whenever tokens come; the counts add up", async () => {
    const event = fc.oneof(
      { arbitrary: fc.nat(20).map((id) => good(`${id}`)), weight: 8 },
      { arbitrary: fc.constant(nameless), weight: 1 },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(event, { minLength: 1, maxLength: 6 }), { maxLength: 12 }),
        fc.array(fc.oneof({ arbitrary: fc.constant(0), weight: 3 }, { arbitrary: fc.nat(4), weight: 1 })),
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 100, max: 12_000 }),
        async (messages, schedule, tokens, retryDelayMs) => {
          const remaining = [...schedule];
          const refill: { now?: (tokens: number) => void } = {};
          const clock = hastyClock(() => refill.now?.(remaining.shift() ?? 0));
          const { log, project, send } = setUp({ tokens, clock, log: createFakeEventLog({ retryDelayMs }) });
          refill.now = (count) => log.refill(project, count);

          const { summary, cut } = await send(stream(...messages)).answer;

          const stored = storedIds(log, project);
          const valid = [...new Set(idsOf(messages.flat().filter((sent) => sent !== nameless)))];
          const { acceptedCount, duplicateCount, rejectedCount, throttledCount, unknownCount, nextIndex } = summary;
          expect(cut).toBeUndefined();
          expect(stored).toEqual(valid.slice(0, stored.length));
          expect(acceptedCount).toBe(stored.length);
          expect(acceptedCount + duplicateCount + rejectedCount).toBe(nextIndex);
          expect(nextIndex + throttledCount + unknownCount).toBeLessThanOrEqual(messages.flat().length);
          expect(throttledCount === 0).toBe(nextIndex === messages.flat().length);
          expect(sum(clock.waits)).toBeLessThanOrEqual(30_000);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("stores everything when its sender goes on at nextIndex", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(40), { maxLength: 60 }),
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 1, max: 6 }),
        async (ids, messageEvents, tokens) => {
          const events = ids.map((id) => good(`${id}`));
          const { log, project, send } = setUp({ tokens, clock: hastyClock() });
          for (let next = 0; next < events.length; ) {
            const rest = events.slice(next);
            const messages = rest
              .map((_, i) => rest.slice(i, i + messageEvents))
              .filter((_, i) => i % messageEvents === 0);
            next += (await send(stream(...messages)).answer).summary.nextIndex;
            log.refill(project);
          }

          expect(storedIds(log, project)).toEqual([...new Set(idsOf(events))]);
        },
      ),
      { numRuns: 100 },
    );
  });
});
