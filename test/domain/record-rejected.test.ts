import { describe, expect, it } from "vitest";
import type { OfferedEvent } from "../../src/domain/event.ts";
import type { EventOutcome } from "../../src/domain/outcome.ts";
import { createRejectedRecorder } from "../../src/domain/record-rejected.ts";
import { createTrack } from "../../src/domain/track.ts";
import { callerOf, encodeEvent, newProject, unreadableEvent } from "../support/events.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { createFakeEventLog } from "../support/fake-event-log.ts";
import { createFakeRejectedEvents } from "../support/fake-rejected-events.ts";
import { useCrashWatch } from "../support/use-crash-watch.ts";

useCrashWatch();

const violation = { field: "name", message: "is required" };
const position = { epoch: "abcdefghijkl", ms: 1, seq: 0 };
const rejected = (id: string): EventOutcome => ({ kind: "rejected", id, reason: "EVENT_INVALID", violation });
const nameless = (id: string, environment = "") => encodeEvent({ id, environment });
const refused = (environment: string) => ({ ...unreadableEvent("is wrong", "{}"), environment });

/** When everything that can go on has gone on. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

function setUp() {
  const rejectedEvents = createFakeRejectedEvents();
  const clock = createFakeClock();
  const shutdown = new AbortController();
  const record = createRejectedRecorder({ rejectedEvents, clock, shutdown: shutdown.signal });
  const caller = callerOf(newProject());
  const reject = (count: number, of = caller) => {
    const events = Array.from({ length: count }, (_, i) => nameless(`${i}`));
    const outcomes = events.map((_, i) => rejected(`${i}`));
    record(of, events, outcomes);
  };
  const counts = () => rejectedEvents.keeps.map(({ events, omittedCount }) => [events.length, omittedCount]);
  return { rejectedEvents, clock, shutdown, record, caller, reject, counts };
}

describe("createRejectedRecorder", () => {
  it("keeps those of a call that were rejected, with what was sent", () => {
    const { rejectedEvents, clock, record, caller } = setUp();
    const offered: OfferedEvent[] = [encodeEvent({ id: "a", name: "click" }), nameless("b"), Buffer.from("garbage")];
    record(caller, offered, [
      { kind: "accepted", id: "a", position },
      rejected("b"),
      { kind: "rejected", id: "", reason: "MALFORMED", violation: { field: "", message: "is not an Event" } },
    ]);

    const rejectedAtMs = clock.nowMs();
    const common = { rejectedAtMs, entrance: "grpc", environments: [] };
    expect(rejectedEvents.keeps).toEqual([
      {
        project: caller.project,
        events: [
          { ...common, id: "b", reason: "EVENT_INVALID", violation, payload: '{"id":"b"}' },
          {
            ...common,
            id: "",
            reason: "MALFORMED",
            violation: { field: "", message: "is not an Event" },
            payload: Buffer.from("garbage").toString("base64"),
          },
        ],
        omittedCount: 0,
      },
    ]);
  });

  it.each([
    ["its own", ["staging", "production"], nameless("a", "production"), ["production"]],
    ["its key's only one, when it names none", ["staging"], nameless("a"), ["staging"]],
    ["its key's, when it names one that the key may not use", ["staging"], nameless("a", "production"), ["staging"]],
    ["its key's only one, when it could not be read", ["staging"], Buffer.from("garbage"), ["staging"]],
    ["all of its key's, when it names none", ["production", "staging"], nameless("a"), ["production", "staging"]],
    ["its own, when its key is bound to none", [], nameless("a", "production"), ["production"]],
    ["none, when neither names one", [], nameless("a"), []],
    ["its own, when a dialect refused it", ["staging", "production"], refused("production"), ["production"]],
    ["its own, when a dialect refused it and its key is bound to none", [], refused("production"), ["production"]],
    ["its key's, when a dialect refused it that names another", ["staging"], refused("production"), ["staging"]],
  ])("notes to which environments an event may belong: %s", (_, environments, offered, expected) => {
    const { rejectedEvents, record, caller } = setUp();
    record({ ...caller, environments }, [offered], [rejected("a")]);

    expect(rejectedEvents.keeps[0]?.events[0]?.environments).toEqual(expected);
  });

  it("keeps 50 of a project in a second, and hands on the count of the others a second later", async () => {
    const { clock, reject, counts } = setUp();
    reject(30);
    reject(500);
    reject(500);
    expect(counts()).toEqual([
      [30, 0],
      [20, 0],
    ]);
    expect(clock.waiting()).toBe(1);
    clock.advance(1000);
    await settled();
    expect(counts().at(-1)).toEqual([0, 980]);
    reject(1);

    expect(counts().at(-1)).toEqual([1, 0]);
    expect(clock.waiting()).toBe(0);
  });

  it("loses no count at the turn of a second", async () => {
    const { clock, reject, counts } = setUp();
    clock.advance(999);
    reject(60);
    clock.advance(1);
    reject(60);
    clock.advance(2000);
    await settled();

    expect(counts()).toEqual([
      [50, 0],
      [50, 0],
      [0, 10],
      [0, 10],
    ]);
  });

  it("counts each project on its own", () => {
    const { reject, counts } = setUp();
    reject(60);
    reject(60, callerOf(newProject()));

    expect(counts()).toEqual([
      [50, 0],
      [50, 0],
    ]);
  });

  it("hands on at once what was counted when the server shuts down, and from then on", async () => {
    const { shutdown, reject, counts } = setUp();
    reject(60);
    shutdown.abort();
    await settled();
    reject(7);
    await settled();

    expect(counts()).toEqual([
      [50, 0],
      [0, 10],
      [0, 7],
    ]);
  });

  it("looks at no more events than it keeps", () => {
    const { record, caller } = setUp();
    let lookedAt = 0;
    const event: OfferedEvent = {
      ...unreadableEvent("is not JSON"),
      get sent() {
        lookedAt++;
        return "";
      },
    };
    record(caller, Array(500).fill(event), Array(500).fill(rejected("")));

    expect(lookedAt).toBe(50);
  });

  it("is told by Track of whatever is rejected, and of nothing else", async () => {
    const { rejectedEvents, clock, record, caller } = setUp();
    const track = createTrack({ log: createFakeEventLog(), clock, onRejected: record });
    const events = [encodeEvent({ id: "a", name: "click" }), nameless("b"), encodeEvent({ id: "a", name: "other" })];
    await track.trackMany(caller, events);
    await track.track(caller, nameless("c")).catch(() => {});
    await track.trackMany(caller, [encodeEvent({ name: "click" }), nameless("d")], { isAtomic: true }).catch(() => {});

    expect(rejectedEvents.keeps.flatMap((call) => call.events.map(({ id, reason }) => [id, reason]))).toEqual([
      ["b", "EVENT_INVALID"],
      ["a", "ID_CONFLICT"],
      ["c", "EVENT_INVALID"],
      ["d", "EVENT_INVALID"],
    ]);
  });
});
