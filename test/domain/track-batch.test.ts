import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ErrorReason } from "../../src/domain/errors.ts";
import { SluiceError } from "../../src/domain/errors.ts";
import type { OfferedEvent } from "../../src/domain/event.ts";
import { guardIterator } from "../../src/domain/guarded-iterator.ts";
import type { BatchSummary } from "../../src/domain/outcome.ts";
import type { Project } from "../../src/domain/project.ts";
import { StreamCut } from "../../src/domain/stream-cut.ts";
import { createTrack } from "../../src/domain/track.ts";
import { callerOf, encodeEvent, newProject } from "../support/events.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import type { FakeEventLog } from "../support/fake-event-log.ts";
import { createFakeEventLog } from "../support/fake-event-log.ts";
import { useCrashWatch } from "../support/use-crash-watch.ts";
import { waitUntil } from "../support/wait-until.ts";

useCrashWatch();

const good = (id: string) => encodeEvent({ id, name: "click" });
const nameless = encodeEvent({ id: "nameless" });

function setUp({ log = createFakeEventLog(), project = newProject(), streamEventsInFlight = 1000 } = {}) {
  const track = createTrack({ log, clock: createFakeClock(), limits: { streamEventsInFlight } });
  const caller = callerOf(project);
  /** Sends a stream; a stream that is cut is answered with what it was cut by, too. */
  async function send(
    source: AsyncIterable<readonly OfferedEvent[]>,
  ): Promise<{ summary: BatchSummary; cut?: string }> {
    try {
      return { summary: (await track.trackBatch(caller, guardIterator(source, 60_000))).summary };
    } catch (thrown) {
      if (!(thrown instanceof StreamCut)) throw thrown;
      return { summary: thrown.summary, cut: thrown.reason };
    }
  }
  return { log, project, send };
}

async function* stream(...messages: OfferedEvent[][]) {
  yield* messages;
}

/** When everything that can go on without the log has gone on. */
const settled = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));

const storedIds = (log: FakeEventLog, project: Project) =>
  log.stored(project).map(({ bytes }) => Buffer.from(bytes).toString("latin1"));
const idsOf = (events: OfferedEvent[]) =>
  events.map((event) =>
    event instanceof Uint8Array ? Buffer.from(event).toString("latin1") : "id" in event ? event.id : "refused",
  );

describe("Track.trackBatch", () => {
  it("stores the events of all messages in order, and counts what became of them", async () => {
    const { log, project, send } = setUp();

    const { summary } = await send(stream([good("a"), nameless], [good("a"), good("b")]));

    expect(summary).toMatchObject({
      acceptedCount: 2,
      duplicateCount: 1,
      rejectedCount: 1,
      unknownCount: 0,
      nextIndex: 4,
      lastPosition: log.stored(project).at(-1)?.position,
      failures: [{ index: 1, kind: "rejected", id: "nameless" }],
    });
    expect(storedIds(log, project)).toEqual(idsOf([good("a"), good("b")]));
  });

  it("takes a stream without messages", async () => {
    expect((await setUp().send(stream())).summary).toMatchObject({ nextIndex: 0 });
  });

  it("tells the log that the sender waited for room", async () => {
    const { log, send } = setUp();
    await send(stream([good("a")]));

    expect(log.appends[0]?.options).toMatchObject({ isHeldBack: true });
  });

  it.each([
    ["a message without events", [], "MALFORMED"],
    ["a message of 501 events", Array(501).fill(good("x")), "TOO_LARGE"],
  ])("is cut by %s, after all before it were stored", async (_, message, reason) => {
    const { log, project, send } = setUp();

    const { cut, summary } = await send(stream([good("a")], [good("b")], message, [good("c")]));

    expect(cut).toBe(reason);
    expect(summary).toMatchObject({ acceptedCount: 2, nextIndex: 2 });
    expect(log.stored(project)).toHaveLength(2);
  });

  it("is cut by the error of its source, after all before it were stored", async () => {
    const { send } = setUp();
    async function* source() {
      yield [good("a")];
      throw new SluiceError("SHUTTING_DOWN", "the server is shutting down");
    }

    expect(await send(source())).toMatchObject({ cut: "SHUTTING_DOWN", summary: { nextIndex: 1 } });
  });

  it("tells a silent sender of a failure at once", async () => {
    const { log, send } = setUp();
    log.failWhen(() => "STORAGE_UNAVAILABLE");
    async function* source() {
      yield [good("a")];
      await new Promise(() => {});
    }

    expect(await send(source())).toMatchObject({ cut: "STORAGE_UNAVAILABLE", summary: { nextIndex: 0 } });
  });

  it("costs the call, not the process, when the log breaks its word and throws", async () => {
    const { log, send } = setUp();
    log.append = () => Promise.reject(new Error("a fault of ours"));

    expect(await send(stream([good("a")], [good("b")]))).toMatchObject({ cut: "INTERNAL", summary: { nextIndex: 0 } });
  });

  it("holds the sender back while storage is busy, and goes on when it is not", async () => {
    const sizes = fc.record({
      size: fc.integer({ min: 1, max: 500 }),
      streamEventsInFlight: fc.integer({ min: 1, max: 2000 }),
    });
    await fc.assert(
      fc.asyncProperty(sizes, async ({ size, streamEventsInFlight }) => {
        const { log, send } = setUp({ streamEventsInFlight });
        const inFlightMax = Math.ceil(streamEventsInFlight / size);
        const messageCount = inFlightMax + 3;
        let asked = 0;
        async function* source() {
          for (; asked < messageCount; ) {
            asked++;
            yield Array<Uint8Array>(size)
              .fill(nameless)
              .fill(good(`${asked}`), 0, 1);
          }
        }
        log.hold();
        const answer = send(source());
        await waitUntil(() => log.appends.length >= inFlightMax);
        await settled();
        expect(asked).toBe(inFlightMax);
        log.release();

        expect((await answer).summary).toMatchObject({ acceptedCount: messageCount, nextIndex: messageCount * size });
      }),
      { numRuns: 20 },
    );
  });

  it("does not ask for a message before there is room", async () => {
    const { log, send } = setUp();
    const room = Promise.withResolvers<void>();
    log.waitForRoom = () => room.promise;
    let asked = 0;
    async function* source() {
      asked++;
      yield [good("a")];
    }
    const answer = send(source());
    await settled();
    expect(asked).toBe(0);
    room.resolve();

    expect((await answer).summary).toMatchObject({ acceptedCount: 1 });
  });

  it("stores every valid event exactly once when its sender goes on at nextIndex, whatever fails", async () => {
    const event = fc.oneof(
      { arbitrary: fc.nat(12).map((id) => good(`${id}`)), weight: 6 },
      { arbitrary: fc.constant(nameless), weight: 1 },
    );
    const fate = fc.oneof(
      { arbitrary: fc.constant(undefined), weight: 8 },
      {
        arbitrary: fc.constantFrom<ErrorReason[]>("STORAGE_UNAVAILABLE", "OUTCOME_UNKNOWN", "STORAGE_FULL"),
        weight: 1,
      },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(event, { maxLength: 40 }),
        fc.array(fate, { maxLength: 60 }),
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 12 }),
        async (events, fates, messageEvents, streamEventsInFlight) => {
          const { log, project, send } = setUp({ streamEventsInFlight });
          const remaining = [...fates];
          log.failWhen(() => remaining.shift());
          let next = 0;
          let rejected = 0;
          for (let cut: string | undefined = "none yet"; cut !== undefined; ) {
            const answer = await send(stream(...chunk(events.slice(next), messageEvents)));
            const { acceptedCount, duplicateCount, rejectedCount, nextIndex } = answer.summary;
            expect(acceptedCount + duplicateCount + rejectedCount).toBe(nextIndex);
            next += nextIndex;
            rejected += rejectedCount;
            cut = answer.cut;
          }

          const valid = events.filter((sent) => sent !== nameless);
          expect(next).toBe(events.length);
          expect(rejected).toBe(events.length - valid.length);
          expect(storedIds(log, project).sort()).toEqual([...new Set(idsOf(valid))].sort());
        },
      ),
      { numRuns: 300 },
    );
  });
});

function chunk<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}
