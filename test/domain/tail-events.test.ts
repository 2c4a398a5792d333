import { getEventListeners } from "node:events";
import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Position } from "../../src/domain/cursor.ts";
import { isBefore, toCursor } from "../../src/domain/cursor.ts";
import { SluiceError } from "../../src/domain/errors.ts";
import { callLimits } from "../../src/domain/event.ts";
import type { FilterQuery } from "../../src/domain/event-filter.ts";
import { narrowFilter } from "../../src/domain/narrow-filter.ts";
import type { StoredEvent } from "../../src/domain/ports.ts";
import type { Caller, Project } from "../../src/domain/project.ts";
import type { TailBatch, TailEventsDeps } from "../../src/domain/tail-events.ts";
import { createTailEvents } from "../../src/domain/tail-events.ts";
import {
  arbitraryInit,
  arbitraryQuery,
  environmentNames,
  matchesDecoded,
  noFilter,
} from "../support/arbitrary-filters.ts";
import type { EventInit } from "../support/events.ts";
import { callerOf, eventToAppend, newProject } from "../support/events.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import type { FakeLogOptions } from "../support/fake-event-log.ts";
import { createFakeEventLog, firstMs } from "../support/fake-event-log.ts";

type Tail = AsyncGenerator<TailBatch, void, void>;

interface TailOptions {
  readonly filter?: Partial<FilterQuery>;
  readonly afterCursor?: string;
  readonly caller?: Partial<Caller>;
}

interface SetUpOptions extends FakeLogOptions {
  /** How long each read takes. */
  readonly readMs?: number;
}

function setUp({ readMs = 0, ...options }: SetUpOptions = {}) {
  const clock = createFakeClock();
  const log = createFakeEventLog({ clock, ...options });
  const slowLog: TailEventsDeps["log"] = {
    ...log,
    read(...range) {
      clock.advance(readMs);
      return log.read(...range);
    },
  };
  const shutdown = new AbortController();
  const project = newProject();
  const tailEvents = createTailEvents({ log: slowLog, clock, shutdown: shutdown.signal });
  let count = 0;
  const store = (events: readonly EventInit[]) =>
    log.append(
      project,
      "grpc",
      events.map((init) => eventToAppend(`e${++count}`, init)),
    );
  const tail = ({ filter, afterCursor = "", caller }: TailOptions = {}): Tail =>
    tailEvents(callerOf(project, caller), { filter: { ...noFilter, ...filter }, afterCursor });
  const cursorOf = (index: number) => {
    const event = log.stored(project)[index];
    if (event === undefined) throw new Error("no such event");
    return toCursor(event.position);
  };
  /** Whether a batch has come, as soon as it has or its tail waits. */
  const hasCome = async (asked: Promise<unknown>) => {
    let isSettled = false;
    const settle = () => {
      isSettled = true;
    };
    asked.then(settle, settle);
    do await setImmediate();
    while (!isSettled && clock.waiting() === 0);
    return isSettled;
  };
  return { clock, log, shutdown, project, tailEvents, store, tail, cursorOf, hasCome };
}

/** A caller whose key can be bound to other environments, which shows at the next look at it. */
function rebindable(project: Project, environments: readonly string[]) {
  let seen = environments;
  let bound = environments;
  const caller: Caller = {
    ...callerOf(project),
    get environments() {
      return seen;
    },
    recheckKey() {
      seen = [...bound];
    },
  };
  const bindTo = (others: readonly string[]) => {
    bound = others;
  };
  return { caller, bindTo };
}

/** The next batch of a tail that has one. */
async function nextOf(tail: Tail): Promise<TailBatch> {
  const { value } = await tail.next();
  if (value === undefined) throw new Error("the tail has ended");
  return value;
}

const many = (count: number, init: EventInit = {}): EventInit[] => Array.from({ length: count }, () => init);

/** What happens while a tail waits. */
type Step = { readonly kind: "storing"; readonly inits: readonly EventInit[] } | { readonly kind: "outage" | "time" };

const arbitraryStep: fc.Arbitrary<Step> = fc.oneof(
  fc.array(arbitraryInit, { maxLength: 12 }).map((inits) => ({ kind: "storing" as const, inits })),
  fc.constantFrom("outage" as const, "time" as const).map((kind) => ({ kind })),
);

describe("createTailEvents", () => {
  it.each([
    ["looks at everything", false],
    ["looks events up, and leaves out most that do not match", true],
  ])(
    "returns all that matches behind its start, once, in order, in spite of outages and cuts; of a log that %s",
    (_, isIndexed) =>
      fc.assert(
        fc.asyncProperty(
          fc.array(arbitraryInit, { maxLength: 40 }),
          fc.array(arbitraryStep, { maxLength: 10 }),
          fc.array(fc.boolean()),
          arbitraryQuery(firstMs, 60),
          fc.subarray(environmentNames),
          fc.option(fc.nat({ max: 39 }), { nil: undefined }),
          fc.integer({ min: 1, max: 12 }),
          async (inits, steps, cuts, query, bound, from, readMax) => {
            const environments = query.environment === "" ? bound : [];
            const filter = { ...query, receivedUntilMs: undefined };
            const isWanted = (event: StoredEvent) =>
              matchesDecoded(narrowFilter(filter, { environments, project: newProject() }), event);
            const leavesOut = (event: StoredEvent) => !isWanted(event) && event.position.seq !== 1;
            const { clock, log, project, store, tail, cursorOf, hasCome } = setUp({
              readMax,
              ...(isIndexed && { leavesOut }),
            });
            await store(inits);
            const start = from !== undefined && from < inits.length ? from : undefined;
            const startOfNow = query.receivedFromMs === undefined ? inits.length - 1 : -1;
            let stepCount = 0;
            const takeStep = async () => {
              const step = steps[stepCount++];
              log.failReads(step?.kind === "outage" ? "STORAGE_UNAVAILABLE" : undefined);
              if (step?.kind === "storing") await store(step.inits);
              else if (step?.kind !== "outage") clock.advance(callLimits.tailHeartbeatMs);
            };

            const batches: TailBatch[] = [];
            const open = (afterCursor: string) => tail({ filter, afterCursor, caller: { environments } });
            let reader = open(start === undefined ? "" : cursorOf(start));
            // After the last step it stays silent for some heartbeats: it has come to the end then.
            while (stepCount < steps.length + 4 || batches.at(-1)?.events.length !== 0) {
              const asked = nextOf(reader);
              while (!(await hasCome(asked))) await takeStep();
              batches.push(await asked);
              if (cuts[batches.length] !== true) continue;
              await reader.return();
              reader = open(toCursor((await asked).reached));
            }
            await reader.return();

            const behind = log.stored(project).slice((start ?? startOfNow) + 1);
            expect(batches.flatMap(({ events }) => events)).toEqual(behind.filter(isWanted));
            for (const [i, { reached }] of batches.entries()) {
              expect(i > 0 && isBefore(reached, batches[i - 1]?.reached ?? reached)).toBe(false);
            }
            expect(clock.waiting()).toBe(0);
          },
        ),
        { numRuns: 200 },
      ),
  );

  it("begins with an empty batch, at the newest event, and goes on with what is stored then", async () => {
    const { log, project, store, tail, cursorOf } = setUp();
    await store(many(3));
    const reader = tail();

    const first = await nextOf(reader);
    await store(many(2));
    const second = await nextOf(reader);

    expect([first.events, toCursor(first.reached)]).toEqual([[], cursorOf(2)]);
    expect(second.events).toEqual(log.stored(project).slice(3));
    expect(toCursor(second.reached)).toBe(cursorOf(4));
  });

  it("begins behind a cursor, with an empty batch too", async () => {
    const { log, project, store, tail, cursorOf } = setUp();
    await store(many(5));
    const reader = tail({ afterCursor: cursorOf(1) });

    const first = await nextOf(reader);

    expect([first.events, toCursor(first.reached)]).toEqual([[], cursorOf(1)]);
    expect((await nextOf(reader)).events).toEqual(log.stored(project).slice(2));
  });

  it("begins with the first event of a receive time, in the past or to come", async () => {
    const { log, project, store, tail } = setUp();
    await store(many(5));
    const past = tail({ filter: { receivedFromMs: firstMs + 1 } });
    const coming = tail({ filter: { receivedFromMs: firstMs + 2 } });
    await nextOf(past);
    await nextOf(coming);

    expect((await nextOf(past)).events).toEqual(log.stored(project).slice(3));
    const asked = nextOf(coming);
    await store(many(3));
    expect((await asked).events).toEqual(log.stored(project).slice(6));
  });

  it("waits behind a cursor that is ahead of what is stored", async () => {
    const { log, project, store, tail, hasCome } = setUp();
    await store(many(1));
    const [{ position }] = log.stored(project) as [StoredEvent];
    const ahead: Position = { ...position, ms: position.ms + 2, seq: 1 };
    const reader = tail({ afterCursor: toCursor(ahead) });

    expect(await nextOf(reader)).toEqual({ events: [], reached: ahead });
    const asked = nextOf(reader);
    expect(await hasCome(asked)).toBe(false);
    await store(many(8));
    expect((await asked).events).toEqual(log.stored(project).slice(8));
  });

  it.each<[string, TailOptions, string, string]>([
    ["an end", { filter: { receivedUntilMs: firstMs } }, "FILTER_INVALID", "filter.receive_time_until"],
    ["a filter that is out of its bounds", { filter: { names: [""] } }, "FILTER_INVALID", "filter.names[0]"],
    ["a cursor that is none", { afterCursor: "a".repeat(32) }, "FILTER_INVALID", "after_cursor"],
    [
      "an environment that the key may not read",
      { filter: { environment: "staging" }, caller: { environments: ["production"] } },
      "ENVIRONMENT_FORBIDDEN",
      "filter.environment",
    ],
  ])("refuses %s", async (_, options, reason, field) => {
    await expect(setUp().tail(options).next()).rejects.toMatchObject({ reason, violations: [{ field }] });
  });

  it.each<[string, (cursor: string) => string]>([
    ["before what is kept", (cursor) => cursor],
    ["of another data set", (cursor) => `${cursor.slice(0, 4)}other-epoch-${cursor.slice(16)}`],
  ])("refuses a cursor that is %s, instead of the first batch", async (_, change) => {
    const { log, project, store, tail, cursorOf } = setUp();
    await store(many(3));
    const afterCursor = change(cursorOf(0));
    log.trim(project, 2);

    await expect(tail({ afterCursor }).next()).rejects.toMatchObject({ reason: "CURSOR_EXPIRED" });
  });

  it("reads nothing while no batch is asked for, and loses nothing meanwhile", async () => {
    const { log, project, store, tail } = setUp();
    const reader = tail();
    await nextOf(reader);
    await store(many(1));
    const found = [...(await nextOf(reader)).events];
    const readsBefore = [log.reads.length, log.liveReads()];
    await store(many(2500));
    for (let turn = 0; turn < 10; turn++) await setImmediate();

    expect([log.reads.length, log.liveReads()]).toEqual(readsBefore);
    while (found.length < 2501) found.push(...(await nextOf(reader)).events);
    expect(found).toEqual(log.stored(project));
  });

  it("hands out 1,000 events at a time at most, whatever the log gives", async () => {
    const { store, tail } = setUp({ readMax: 2400 });
    const reader = tail();
    await nextOf(reader);
    await store(many(2400));

    const counts = [await nextOf(reader), await nextOf(reader), await nextOf(reader)].map(
      ({ events }) => events.length,
    );
    expect(counts).toEqual([1000, 1000, 400]);
  });

  it("hands out no more than one answer may have, but for an event that is larger, and loses nothing", async () => {
    const { log, project, store, tail } = setUp();
    const propertiesOf = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`p${i}`, "x".repeat(16_000)]));
    const reader = tail();
    await nextOf(reader);
    await store(many(8, { properties: propertiesOf(5) }));
    await store(many(1, { properties: propertiesOf(40) }));

    const batches = [await nextOf(reader), await nextOf(reader), await nextOf(reader), await nextOf(reader)];
    const sizes = batches.map(({ events }) => events.reduce((sum, { bytes }) => sum + bytes.length, 0));
    expect(batches.map(({ events }) => events.length)).toEqual([3, 3, 2, 1]);
    expect(sizes.slice(0, 3).every((size) => size <= callLimits.tailBatchBytes)).toBe(true);
    expect(batches.flatMap(({ events }) => events)).toEqual(log.stored(project));
  });

  it("gathers what is spread over many slices into one batch", async () => {
    const { store, tail, cursorOf } = setUp({ readMax: 10 });
    await store([{}, ...Array.from({ length: 200 }, (_, i) => ({ name: i % 40 === 0 ? "rare" : "click" }))]);
    const reader = tail({ filter: { names: ["rare"] }, afterCursor: cursorOf(0) });
    await nextOf(reader);

    expect((await nextOf(reader)).events).toHaveLength(5);
  });

  it("does not keep an event back when nothing follows a slice that seemed to have more behind it", async () => {
    const { store, tail, hasCome } = setUp({ readMax: 2 });
    const reader = tail();
    await nextOf(reader);
    const asked = nextOf(reader);
    expect(await hasCome(asked)).toBe(false);
    await store(many(2));

    expect(await hasCome(asked)).toBe(true);
    expect((await asked).events).toHaveLength(2);
  });

  it("looks events up while it is behind, is live at the end, and looks them up again when it lags", async () => {
    const { log, store, tail, cursorOf } = setUp({ readMax: 5 });
    await store(many(21));
    const reader = tail({
      filter: { names: ["rare"] },
      afterCursor: cursorOf(0),
      caller: { environments: ["staging"] },
    });
    await nextOf(reader);
    await store([{ name: "rare", environment: "staging" }]);
    await nextOf(reader);
    const readsBehind = log.ranges.length;
    expect([readsBehind, log.liveReads()]).toEqual([6, 0]);
    expect(log.ranges.at(-1)).toMatchObject({ filter: { names: ["rare"], environments: ["staging"] } });

    const asked = nextOf(reader);
    await store([...many(12), { name: "rare", environment: "staging" }]);
    await asked;
    expect(log.ranges).toHaveLength(readsBehind);
    await store([...many(200), { name: "rare", environment: "staging" }]);
    expect((await nextOf(reader)).events).toHaveLength(1);
    expect(log.ranges.length).toBeGreaterThan(readsBehind);
  });

  it.each<[string, Partial<FilterQuery>, readonly string[], boolean]>([
    ["for everything", {}, [], false],
    ["for a value", { values: [1] }, [], false],
    ["for a property that has no index", { properties: new Map([["plan", ["pro"]]]) }, ["status"], false],
    ["for a property that has one", { properties: new Map([["plan", ["pro"]]]) }, ["status", "plan"], true],
    ["for a name", { names: ["rare"] }, [], true],
    ["for an identity", { identity: { kind: "user", id: "u" } }, [], true],
  ])(
    "reads what is read for all, unless an index has what it looks for: %s",
    async (_, filter, indexed, isLookedUp) => {
      const { log, project, tailEvents, store, cursorOf } = setUp({ readMax: 5 });
      await store(many(200));
      Object.assign(project, { settings: { ...project.settings, indexedProperties: indexed } });
      const reader = tailEvents(callerOf(project), { filter: { ...noFilter, ...filter }, afterCursor: cursorOf(0) });
      await nextOf(reader);
      const before = log.ranges.length;
      const asked = nextOf(reader);
      await setImmediate();
      await store([{ name: "rare", value: 1, identities: { user: "u" }, properties: { plan: "pro" } }]);
      await asked;

      expect(log.ranges.length > before).toBe(isLookedUp);
      for (const { searchFor, signal } of log.ranges.slice(before)) {
        expect([searchFor, signal]).toEqual(["tail", expect.any(AbortSignal)]);
      }
    },
  );

  it("reads what is read for all at once when it begins now", async () => {
    const { log, store, tail } = setUp();
    await store(many(3));
    const reader = tail({ filter: { names: ["rare"] } });
    await nextOf(reader);
    const asked = nextOf(reader);
    await store([{ name: "rare" }]);

    expect((await asked).events).toHaveLength(1);
    expect(log.ranges).toEqual([]);
  });

  it("hands out events that keep nothing else in memory, and those that do not as they are", async () => {
    const { log, project, shutdown, store, clock } = setUp();
    const received = new Uint8Array(65_536);
    const readLive: TailEventsDeps["log"]["readLive"] = async (...args) => {
      const slice = await log.readLive(...args);
      const parts = slice.events.map((event, i) => {
        received.set(event.bytes);
        return i === 0 ? event : { ...event, bytes: received.subarray(0, event.bytes.length) };
      });
      return { ...slice, events: parts };
    };
    const tailEvents = createTailEvents({ log: { ...log, readLive }, clock, shutdown: shutdown.signal });
    const reader = tailEvents(callerOf(project), { filter: noFilter, afterCursor: "" });
    await nextOf(reader);
    await store(many(2).map(() => ({ name: "same" })));
    const [own, part] = (await nextOf(reader)).events;

    expect(own).toBe(log.stored(project)[0]);
    expect(part?.bytes.buffer.byteLength).toBe(part?.bytes.length);
    expect(part).toEqual({ ...log.stored(project)[1], bytes: part?.bytes });
  });

  it("says how far it has come when nothing has matched for 12 s, sooner than is promised", async () => {
    const { clock, store, tail, cursorOf, hasCome } = setUp();
    const reader = tail({ filter: { names: ["rare"] } });
    await nextOf(reader);
    const asked = nextOf(reader);
    await hasCome(asked);
    await store(many(4));
    expect(await hasCome(asked)).toBe(false);
    clock.advance(11_999);
    expect(await hasCome(asked)).toBe(false);
    clock.advance(1);

    const { events, reached } = await asked;
    expect([events, toCursor(reached)]).toEqual([[], cursorOf(3)]);
  });

  it("says how far it has come while it looks through much that does not match", async () => {
    const { store, tail, cursorOf } = setUp({ readMax: 10, readMs: 4000 });
    await store(many(201));
    const reader = tail({ filter: { names: ["rare"] }, afterCursor: cursorOf(0) });
    await nextOf(reader);

    const reached = [await nextOf(reader), await nextOf(reader)].map((batch) => toCursor(batch.reached));
    expect(reached).toEqual([cursorOf(30), cursorOf(60)]);
  });

  it("keeps an event back for a second at most while it looks through more", async () => {
    const { store, tail, cursorOf } = setUp({ readMax: 10, readMs: 300 });
    await store([{}, { name: "rare" }, ...many(1000)]);
    const reader = tail({ filter: { names: ["rare"] }, afterCursor: cursorOf(0) });
    await nextOf(reader);

    const { events, reached } = await nextOf(reader);
    expect([events.length, toCursor(reached)]).toEqual([1, cursorOf(40)]);
  });

  it("does not fall silent when the clock is set back", async () => {
    const { clock, store, tail, hasCome } = setUp();
    const reader = tail({ filter: { names: ["rare"] } });
    await nextOf(reader);
    const asked = nextOf(reader);
    await hasCome(asked);
    clock.advance(-3_600_000);
    await store(many(1));

    expect((await asked).events).toEqual([]);
  });

  it("begins once storage is back, and asks it again after 200 ms to 1 s", async () => {
    const { clock, log, store, tail, cursorOf, hasCome } = setUp();
    await store(many(2));
    log.failReads("STORAGE_UNAVAILABLE");
    for (const afterCursor of ["", cursorOf(0)]) {
      log.failReads("STORAGE_UNAVAILABLE");
      const waitsBefore = clock.waits.length;
      const asked = nextOf(tail({ afterCursor }));
      for (let i = 0; i < 5; i++) {
        expect(await hasCome(asked)).toBe(false);
        clock.advance(1000);
      }
      expect(await hasCome(asked)).toBe(false);
      log.failReads(undefined);
      clock.advance(1000);

      expect((await asked).events).toEqual([]);
      expect(clock.waits.slice(waitsBefore)).toEqual([200, 400, 800, 1000, 1000, 1000]);
    }
  });

  it("asks storage again after 200 ms in each outage", async () => {
    const { clock, log, store, tail, hasCome } = setUp();
    const reader = tail();
    await nextOf(reader);
    const waits: (number | undefined)[] = [];
    for (let outage = 0; outage < 2; outage++) {
      log.failReads("STORAGE_UNAVAILABLE");
      const asked = nextOf(reader);
      expect(await hasCome(asked)).toBe(false);
      waits.push(clock.waits.at(-1));
      log.failReads(undefined);
      await store(many(1));
      clock.advance(1000);
      expect((await asked).events).toHaveLength(1);
    }

    expect(waits).toEqual([200, 200]);
  });

  it("goes on with empty batches while storage is away, and then with what was stored meanwhile", async () => {
    const { clock, log, project, store, tail, hasCome } = setUp();
    await store(many(1));
    const reader = tail();
    const first = await nextOf(reader);
    log.failReads("STORAGE_UNAVAILABLE");
    await store(many(3));
    for (let i = 0; i < 2; i++) {
      const asked = nextOf(reader);
      let waitedMs = 0;
      while (!(await hasCome(asked))) {
        clock.advance(100);
        waitedMs += 100;
      }
      expect(waitedMs).toBe(12_000);
      expect(await asked).toEqual(first);
    }
    log.failReads(undefined);

    expect((await nextOf(reader)).events).toEqual(log.stored(project).slice(1));
  });

  it.each<[string, (setUp: { log: ReturnType<typeof createFakeEventLog> }) => void]>([
    ["it waits for events", () => {}],
    ["storage is away", ({ log }) => log.failReads("STORAGE_UNAVAILABLE")],
  ])("ends at once, while %s, when the server shuts down, or its caller is gone", async (_, begin) => {
    for (const cause of ["shutdown", "caller", "deadline"]) {
      const set = setUp();
      const caller = new AbortController();
      const reader = set.tail({ caller: { signal: caller.signal } });
      await nextOf(reader);
      begin(set);
      const asked = nextOf(reader);
      const ended = expect(asked).rejects.toMatchObject({
        reason: { shutdown: "SHUTTING_DOWN", caller: "CALL_ENDED", deadline: "DEADLINE_EXCEEDED" }[cause],
      });
      expect(await set.hasCome(asked)).toBe(false);
      if (cause === "shutdown") set.shutdown.abort();
      else caller.abort(cause === "caller" ? undefined : new SluiceError("DEADLINE_EXCEEDED", "too late"));

      await ended;
      expect(set.clock.waiting()).toBe(0);
      expect(await reader.next()).toEqual({ done: true, value: undefined });
    }
  });

  it("ends at once when the server shuts down while it waits to begin, or has begun to shut down", async () => {
    const { log, shutdown, tail, hasCome } = setUp();
    log.failReads("STORAGE_UNAVAILABLE");
    const asked = tail().next();
    const ended = expect(asked).rejects.toMatchObject({ reason: "SHUTTING_DOWN" });
    expect(await hasCome(asked)).toBe(false);
    shutdown.abort();

    await ended;
    await expect(tail().next()).rejects.toMatchObject({ reason: "SHUTTING_DOWN" });
  });

  it("leaves nothing behind at the signals, however it ends", async () => {
    const { log, shutdown, project, store, tail, cursorOf } = setUp();
    await store(many(3));
    const caller = new AbortController();
    const open = () => tail({ afterCursor: cursorOf(0), caller: { signal: caller.signal } });
    const listenerCount = () => [shutdown.signal, caller.signal].map((one) => getEventListeners(one, "abort").length);
    const returned = open();
    await nextOf(returned);
    const failed = open();
    await nextOf(failed);
    expect(listenerCount()).toEqual([2, 2]);
    await returned.return();
    log.trim(project, 2);

    await expect(failed.next()).rejects.toMatchObject({ reason: "CURSOR_EXPIRED" });
    expect(listenerCount()).toEqual([0, 0]);
  });

  it("ends when its reader falls behind what is kept", async () => {
    const { log, project, store, tail } = setUp();
    const reader = tail();
    await nextOf(reader);
    await store(many(5));
    log.trim(project, 3);

    await expect(reader.next()).rejects.toMatchObject({ reason: "CURSOR_EXPIRED" });
  });

  it("looks at the key before each batch, also an empty one, and hands out nothing once it allows no more", async () => {
    const { clock, store, tail, hasCome } = setUp();
    let isAllowed = true;
    const recheckKey = () => {
      if (!isAllowed) throw new SluiceError("KEY_INVALID", "this key opens no project");
    };
    const withEvents = tail({ caller: { recheckKey } });
    const silent = tail({ caller: { recheckKey } });
    for (const reader of [withEvents, silent]) await nextOf(reader);
    isAllowed = false;
    const asked = silent.next();
    const ended = expect(asked).rejects.toMatchObject({ reason: "KEY_INVALID" });
    await hasCome(asked);
    clock.advance(callLimits.tailHeartbeatMs);
    await ended;
    await store(many(1));

    await expect(withEvents.next()).rejects.toMatchObject({ reason: "KEY_INVALID" });
    await expect(tail({ caller: { recheckKey } }).next()).rejects.toMatchObject({ reason: "KEY_INVALID" });
  });

  it.each<[string, string[], string[], number[]]>([
    ["fewer", ["production", "staging"], ["staging"], [1]],
    ["more", ["staging"], ["production", "staging"], [0, 1]],
    ["others", ["production"], ["staging"], [1]],
    ["the first", [], ["staging"], [1]],
  ])(
    "sees what its key may read when a batch goes out, if that is bound to %s environments by then",
    async (_, before, after, expected) => {
      const { log, project, store, tailEvents } = setUp();
      const { caller, bindTo } = rebindable(project, before);
      const reader = tailEvents(caller, { filter: noFilter, afterCursor: "" });
      await nextOf(reader);
      await store([{ environment: "production" }, { environment: "staging" }]);
      bindTo(after);

      expect((await nextOf(reader)).events).toEqual(expected.map((i) => log.stored(project)[i]));
      await store([{ environment: "staging" }]);
      expect((await nextOf(reader)).events).toEqual(log.stored(project).slice(2));
    },
  );

  it("ends when its filter names an environment that its key may no longer read", async () => {
    const { project, store, tailEvents } = setUp();
    const { caller, bindTo } = rebindable(project, ["production", "staging"]);
    const reader = tailEvents(caller, { filter: { ...noFilter, environment: "production" }, afterCursor: "" });
    await nextOf(reader);
    await store([{ environment: "production" }]);
    bindTo(["staging"]);

    await expect(reader.next()).rejects.toMatchObject({ reason: "ENVIRONMENT_FORBIDDEN" });
  });
});
