import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import type { ErrorReason } from "../../src/domain/errors.ts";
import { SluiceError } from "../../src/domain/errors.ts";
import type { OfferedEvent } from "../../src/domain/event.ts";
import type { EventOutcome } from "../../src/domain/outcome.ts";
import type { AppendResult } from "../../src/domain/ports.ts";
import { createTrack } from "../../src/domain/track.ts";
import { callerOf, encodeEvent, newProject } from "../support/events.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { createFakeEventLog, fakeRetryDelayMs } from "../support/fake-event-log.ts";

const good = (id: string) => encodeEvent({ id, name: "click" });
const goods = (count: number) => Array.from({ length: count }, (_, i) => good(`${i}`));
const nameless = encodeEvent({ id: "nameless" });
const garbage = Buffer.from("not protobuf");
const conflicting = (id: string) => encodeEvent({ id, name: "other" });
const throttledFor = (retryDelayMs: number): AppendResult => ({ kind: "throttled", retryDelayMs });
const failedFor = (reason: ErrorReason): AppendResult => ({ kind: "failed", error: new SluiceError(reason, "") });
const tokens = (events: number) => ({ rateLimits: [{ events, perMs: 60_000 }] });

function setUp(settings: Parameters<typeof newProject>[0] = {}) {
  const log = createFakeEventLog();
  const project = newProject(settings);
  const told: EventOutcome[][] = [];
  const rejected: { offered: readonly OfferedEvent[]; outcomes: readonly EventOutcome[] }[] = [];
  const track = createTrack({
    log,
    clock: createFakeClock(),
    onOutcomes: (outcomes) => told.push([...outcomes]),
    onRejected: (_, offered, outcomes) => rejected.push({ offered, outcomes }),
  });
  const failIds = (ids: string[], reason: ErrorReason) =>
    log.failWhen(({ id }) => (ids.includes(id) ? reason : undefined));
  return { log, project, caller: callerOf(project), track, told, rejected, failIds };
}

describe("Track.track", () => {
  it("stores an event, and tells of it", async () => {
    const { log, project, caller, track, told, rejected } = setUp();

    expect((await track.track(caller, good("a"))).outcome).toMatchObject({ kind: "accepted", id: "a" });
    expect(log.stored(project)).toMatchObject([{ bytes: good("a"), entrance: "grpc" }]);
    expect(told).toMatchObject([[{ kind: "accepted" }]]);
    expect(rejected).toEqual([]);
  });

  it("answers a retry with the position of the original", async () => {
    const { log, project, caller, track } = setUp();
    const { outcome } = await track.track(caller, good("a"));

    expect((await track.track(caller, good("a"))).outcome).toEqual({ ...outcome, kind: "duplicate" });
    expect(log.stored(project)).toHaveLength(1);
  });

  it("stores an event that came as a message", async () => {
    const { log, project, caller, track } = setUp();
    await track.track(caller, create(EventSchema, { id: "a", name: "click" }));

    expect(log.stored(project)).toMatchObject([{ bytes: Buffer.from(good("a")) }]);
  });

  it("hands the caller's signal to the log, and does not say that the caller waited for room", async () => {
    const { log, caller, track } = setUp();
    await track.track(caller, good("a"));

    expect(log.appends[0]?.options).toMatchObject({ signal: caller.signal });
    expect(log.appends[0]?.options.isHeldBack).not.toBe(true);
  });

  it.each([
    ["another event under the same id", conflicting("a"), "ID_CONFLICT", "event.id"],
    ["an invalid event", nameless, "EVENT_INVALID", "event.name"],
    ["what is no event", garbage, "MALFORMED", "event"],
  ] as const)("throws for %s, stores nothing, and tells of it", async (_, event, reason, field) => {
    const { log, project, caller, track, rejected } = setUp();
    await track.track(caller, good("a"));

    await expect(track.track(caller, event)).rejects.toMatchObject({ reason, violations: [{ field }] });
    expect(log.stored(project)).toHaveLength(1);
    expect(rejected).toMatchObject([{ offered: [event], outcomes: [{ reason }] }]);
  });

  it("throws ENVIRONMENT_FORBIDDEN for an environment that its key is not bound to", async () => {
    const { project, track } = setUp();
    const caller = callerOf(project, { environments: ["staging"] });

    await expect(track.track(caller, encodeEvent({ name: "click", environment: "production" }))).rejects.toMatchObject({
      reason: "ENVIRONMENT_FORBIDDEN",
      violations: [{ field: "event.environment" }],
    });
  });

  it("throws RATE_LIMITED when no token is left, with when there is one, and with what is left", async () => {
    const { log, project, caller, track, told } = setUp(tokens(1));
    expect(await track.track(caller, good("a"))).toMatchObject({ quotas: [{ remaining: 0 }] });

    await expect(track.track(caller, good("b"))).rejects.toMatchObject({
      reason: "RATE_LIMITED",
      retryDelayMs: fakeRetryDelayMs,
      quotas: [{ limit: { events: 1 }, remaining: 0 }],
    });
    expect((await track.track(caller, good("a"))).outcome.kind).toBe("duplicate");
    expect(log.stored(project)).toHaveLength(1);
    expect(told.at(1)).toMatchObject([{ kind: "throttled", id: "b" }]);
  });

  it("says what is left when nothing was appended, too", async () => {
    const { caller, track } = setUp(tokens(7));

    await expect(track.track(caller, nameless)).rejects.toMatchObject({ quotas: [{ remaining: 7 }] });
  });

  it("rejects an event all the same when it cannot be told what is left", async () => {
    const { log, caller, track } = setUp(tokens(7));
    log.readQuotas = () => Promise.reject(new Error("storage is away"));

    await expect(track.track(caller, nameless)).rejects.toMatchObject({ reason: "EVENT_INVALID", quotas: [] });
  });

  it.each(["STORAGE_UNAVAILABLE", "STORAGE_FULL", "OVERLOADED", "OUTCOME_UNKNOWN"] as const)(
    "throws the log's own %s",
    async (reason) => {
      const { caller, track, failIds } = setUp();
      failIds(["a"], reason);

      await expect(track.track(caller, good("a"))).rejects.toMatchObject({ reason });
    },
  );

  it("does not ask a log that failed what is left", async () => {
    const { log, caller, track } = setUp(tokens(7));
    let isAsked = false;
    log.append = () => Promise.reject(new Error("a fault of ours"));
    log.readQuotas = async () => {
      isAsked = true;
      return [];
    };
    await expect(track.track(caller, good("a"))).rejects.toMatchObject({ reason: "INTERNAL" });

    expect(isAsked).toBe(false);
  });

  it("throws INTERNAL, with the cause, when the log breaks its word and throws", async () => {
    const { log, caller, track } = setUp();
    const cause = new Error("a fault of ours");
    log.append = () => Promise.reject(cause);

    await expect(track.track(caller, good("a"))).rejects.toMatchObject({ reason: "INTERNAL", cause });
  });

  it("throws INTERNAL when the log answers for fewer events than it got", async () => {
    const { log, caller, track } = setUp();
    log.append = async () => ({ results: [], quotas: [] });

    await expect(track.track(caller, good("a"))).rejects.toMatchObject({ reason: "INTERNAL" });
  });
});

describe("Track.trackMany", () => {
  it("has an outcome for each event, in the order of the request", async () => {
    const { log, project, caller, track, failIds } = setUp(tokens(3));
    await track.track(caller, good("known"));
    failIds(["full"], "STORAGE_FULL");

    const answer = await track.trackMany(caller, [
      good("a"),
      garbage,
      good("known"),
      nameless,
      good("full"),
      conflicting("known"),
      good("b"),
      good("c"),
      good("a"),
    ]);

    expect(answer.outcomes).toMatchObject([
      { kind: "accepted", id: "a" },
      { kind: "rejected", reason: "MALFORMED", violation: { field: "" } },
      { kind: "duplicate", id: "known" },
      { kind: "rejected", reason: "EVENT_INVALID", id: "nameless", violation: { field: "name" } },
      { kind: "failed", id: "full" },
      { kind: "rejected", reason: "ID_CONFLICT", id: "known", violation: { field: "id" } },
      { kind: "accepted", id: "b" },
      { kind: "throttled", id: "c", retryDelayMs: fakeRetryDelayMs },
      { kind: "duplicate", id: "a" },
    ]);
    expect(answer.quotas).toMatchObject([{ remaining: 0 }]);
    expect(log.stored(project)).toHaveLength(3);
  });

  it("stores the events of one request in one call, in their order", async () => {
    const { log, caller, track } = setUp();
    await track.trackMany(caller, [good("a"), nameless, good("b")]);

    expect(log.appends.map(({ events }) => events.map(({ id }) => id))).toEqual([["a", "b"]]);
  });

  it("does not trouble the log when no event is valid, but to say what is left", async () => {
    const { log, caller, track } = setUp(tokens(7));

    expect(await track.trackMany(caller, [nameless])).toMatchObject({
      outcomes: [{ kind: "rejected" }],
      quotas: [{ remaining: 7 }],
    });
    expect(log.appends).toEqual([]);
  });

  it("throws when storage answered for none of those that were valid", async () => {
    const { caller, track, failIds } = setUp();
    failIds(["a", "b"], "STORAGE_UNAVAILABLE");

    await expect(track.trackMany(caller, [nameless, good("a"), good("b")])).rejects.toMatchObject({
      reason: "STORAGE_UNAVAILABLE",
    });
  });

  it("throws RATE_LIMITED when none was stored for want of tokens, even if others were rejected", async () => {
    const { caller, track } = setUp(tokens(1));
    await track.track(caller, good("a"));

    await expect(track.trackMany(caller, [good("b"), nameless, good("c")])).rejects.toMatchObject({
      reason: "RATE_LIMITED",
      retryDelayMs: fakeRetryDelayMs,
      quotas: [{ remaining: 0 }],
    });
  });

  it.each<[string, number, Record<string, ErrorReason>, ErrorReason]>([
    ["what failed, not for what was throttled", 0, { b: "STORAGE_UNAVAILABLE" }, "STORAGE_UNAVAILABLE"],
    ["what may be stored, not for what is not", 1, { b: "OUTCOME_UNKNOWN", c: "STORAGE_FULL" }, "OUTCOME_UNKNOWN"],
    ["what may be stored, even when it comes last", 1, { b: "STORAGE_FULL", c: "OUTCOME_UNKNOWN" }, "OUTCOME_UNKNOWN"],
  ])("throws for %s", async (_, tokensLeft, failures, reason) => {
    const { log, caller, track } = setUp(tokens(tokensLeft + 1));
    await track.track(caller, good("a"));
    log.failWhen(({ id }) => failures[id]);

    await expect(track.trackMany(caller, [nameless, good("b"), good("c"), good("d")])).rejects.toMatchObject({
      reason,
    });
  });

  it.each<[string, AppendResult[], object]>([
    ["throttled", [throttledFor(1000), throttledFor(9000)], { reason: "RATE_LIMITED", retryDelayMs: 9000 }],
    ["failed", [failedFor("STORAGE_FULL"), failedFor("STORAGE_UNAVAILABLE")], { reason: "STORAGE_UNAVAILABLE" }],
  ])("throws for the last of those that %s, which has to wait longest", async (_, results, expected) => {
    const { log, caller, track } = setUp();
    log.append = async () => ({ results, quotas: [] });

    await expect(track.trackMany(caller, goods(2))).rejects.toMatchObject(expected);
    await expect(track.trackAll(caller, goods(2))).rejects.toMatchObject(expected);
  });

  it.each([
    ["an accepted event", good("b"), "accepted"],
    ["a duplicate", good("known"), "duplicate"],
    ["a conflict", conflicting("known"), "rejected"],
  ] as const)("does not throw when %s is among those that failed", async (_, event, kind) => {
    const { caller, track, failIds } = setUp();
    await track.track(caller, good("known"));
    failIds(["a"], "OUTCOME_UNKNOWN");

    expect(await track.trackMany(caller, [good("a"), event])).toMatchObject({
      outcomes: [{ kind: "failed" }, { kind }],
    });
  });

  it.each([
    ["no event", 0, false, "MALFORMED"],
    ["501 events", 501, false, "TOO_LARGE"],
    ["no event at all or none", 0, true, "MALFORMED"],
    ["501 events at all or none", 501, true, "TOO_LARGE"],
  ] as const)("refuses %s, and stores nothing", async (_, count, isAtomic, reason) => {
    const { log, caller, track } = setUp();

    await expect(track.trackMany(caller, goods(count), { isAtomic })).rejects.toMatchObject({ reason });
    expect(log.appends).toEqual([]);
  });

  it("takes 500 events", async () => {
    const { caller, track } = setUp();

    expect((await track.trackMany(caller, goods(500))).outcomes).toHaveLength(500);
  });
});

describe("Track.trackAll", () => {
  it("stores any number of events in their order, and answers for each at its place", async () => {
    const { log, project, caller, track } = setUp();
    const events = [...goods(700), nameless, ...Array.from({ length: 600 }, (_, i) => good(`more-${i}`)), good("0")];

    const { outcomes } = await track.trackAll(caller, events);

    expect(outcomes).toHaveLength(1302);
    expect(outcomes[700]).toMatchObject({ kind: "rejected", violation: { field: "name" } });
    expect(outcomes[1301]).toMatchObject({ kind: "duplicate", id: "0" });
    expect(log.stored(project).map(({ bytes }) => bytes)).toEqual([
      ...events.slice(0, 700),
      ...events.slice(701, 1301),
    ]);
    expect(log.appends.every(({ events }) => events.length <= 500)).toBe(true);
  });

  it("stores nothing behind an event that was throttled, and says what is left", async () => {
    const { log, project, caller, track } = setUp(tokens(600));

    const { outcomes, quotas } = await track.trackAll(caller, goods(1200));

    expect(outcomes.map(({ kind }) => kind)).toEqual([...Array(600).fill("accepted"), ...Array(600).fill("throttled")]);
    expect(log.stored(project)).toHaveLength(600);
    expect(quotas).toMatchObject([{ remaining: 0 }]);
  });

  it("stores nothing behind an event that failed", async () => {
    const { log, project, caller, track, failIds } = setUp();
    failIds(["7"], "STORAGE_UNAVAILABLE");

    const { outcomes } = await track.trackAll(caller, goods(1200));

    expect(outcomes.slice(500).every(({ kind }) => kind === "failed")).toBe(true);
    expect(log.stored(project)).toHaveLength(499);
  });

  it("throws when nothing is stored and some could be later, with what is left", async () => {
    const { caller, track, rejected } = setUp(tokens(1));
    await track.track(caller, good("a"));

    await expect(track.trackAll(caller, [nameless, ...goods(700)])).rejects.toMatchObject({
      reason: "RATE_LIMITED",
      retryDelayMs: fakeRetryDelayMs,
      quotas: [{ remaining: 0 }],
    });
    expect(rejected).toMatchObject([{ outcomes: { 0: { reason: "EVENT_INVALID" } } }]);
  });

  it.each([
    ["one is stored", [good("known"), ...goods(700)], { 0: { kind: "duplicate" }, 700: { kind: "failed" } }],
    ["one is in conflict", [good("0"), conflicting("known")], { 1: { reason: "ID_CONFLICT" } }],
    ["none could ever be stored", [nameless, garbage], { 1: { reason: "MALFORMED" } }],
  ] as const)("answers for each when %s", async (_, events, outcomes) => {
    const { log, caller, track } = setUp();
    await track.track(caller, good("known"));
    log.failWhen(({ id }) => (id === "known" ? undefined : "OUTCOME_UNKNOWN"));

    expect((await track.trackAll(caller, events)).outcomes).toMatchObject(outcomes);
  });

  it("answers for no event with nothing", async () => {
    const { caller, track } = setUp();

    expect(await track.trackAll(caller, [])).toEqual({ outcomes: [], quotas: [] });
  });
});

describe("Track.trackMany, atomic", () => {
  /** Of about 300 KB. */
  const manyProperties = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`p${i}`, "x".repeat(15_000)]));

  const isAtomic = true;

  it("stores all events, and takes duplicates as stored", async () => {
    const { log, project, caller, track } = setUp(tokens(3));
    await track.track(caller, good("b"));

    const answer = await track.trackMany(caller, [good("a"), good("b"), good("c")], { isAtomic });

    expect(answer.outcomes.map(({ kind }) => kind)).toEqual(["accepted", "duplicate", "accepted"]);
    expect(answer.quotas).toMatchObject([{ remaining: 0 }]);
    expect(log.appends.at(-1)?.options).toMatchObject({ isAtomic, signal: caller.signal });
    expect(log.stored(project)).toHaveLength(3);
  });

  it.each<[string, Uint8Array, string, string]>([
    ["an invalid event", nameless, "EVENT_INVALID", "events[2].name"],
    ["what is no event", garbage, "MALFORMED", "events[2]"],
    [
      "another's environment",
      encodeEvent({ name: "click", environment: "x" }),
      "ENVIRONMENT_FORBIDDEN",
      "events[2].environment",
    ],
    ["another event under the same id", conflicting("known"), "ID_CONFLICT", "events[2].id"],
  ])("stores none for %s, and names it by its index", async (_, bad, reason, field) => {
    const { log, project, track, told, rejected } = setUp();
    const caller = callerOf(project, { environments: ["staging"] });
    await track.track(caller, good("known"));
    const events = [good("a"), good("known"), bad, good("b")];

    await expect(track.trackMany(caller, events, { isAtomic })).rejects.toMatchObject({
      reason,
      violations: [{ field }],
      message: expect.stringContaining(field),
    });
    expect(log.stored(project)).toHaveLength(1);
    expect(told.at(-1)?.map(({ kind }) => kind)).toContain("withheld");
    expect(rejected).toMatchObject([{ offered: events, outcomes: [{}, {}, { reason }, {}] }]);
  });

  it("names the first of several that cannot be stored", async () => {
    const { caller, track } = setUp();

    await expect(track.trackMany(caller, [good("a"), nameless, garbage], { isAtomic })).rejects.toMatchObject({
      violations: [{ field: "events[1].name" }],
    });
  });

  it("says what rate limits have left also when it rejects an event", async () => {
    const { caller, track } = setUp(tokens(3));

    await expect(track.trackMany(caller, [good("a"), nameless], { isAtomic })).rejects.toMatchObject({
      reason: "EVENT_INVALID",
      quotas: [{ remaining: 3 }],
    });
  });

  it("stores none when there are too few tokens, and says when there are", async () => {
    const { log, project, caller, track, told } = setUp(tokens(3));
    await track.track(caller, good("known"));

    await expect(track.trackMany(caller, [good("a"), good("b"), good("c")], { isAtomic })).rejects.toMatchObject({
      reason: "RATE_LIMITED",
      retryDelayMs: fakeRetryDelayMs,
      quotas: [{ remaining: 2 }],
    });
    expect(log.stored(project)).toHaveLength(1);
    expect(told.at(-1)?.map(({ kind }) => kind)).toEqual(["withheld", "withheld", "throttled"]);
  });

  it.each(["STORAGE_FULL", "STORAGE_UNAVAILABLE"] as const)("stores none for the log's own %s", async (reason) => {
    const { log, project, caller, track, failIds } = setUp();
    failIds(["b"], reason);

    await expect(track.trackMany(caller, [good("a"), good("b")], { isAtomic })).rejects.toMatchObject({ reason });
    expect(log.stored(project)).toHaveLength(0);
  });

  it.each([
    ["more events than a full bucket has tokens", 4, "ATOMIC_TOO_LARGE"],
    ["as many", 3, undefined],
  ])("of %s: %s", async (_, count, reason) => {
    const { log, caller, track } = setUp({
      rateLimits: [
        { events: 1000, perMs: 60_000 },
        { events: 3, perMs: 1000 },
      ],
    });
    const answer = track.trackMany(caller, goods(count), { isAtomic });

    if (reason === undefined) expect((await answer).outcomes).toHaveLength(count);
    else {
      const quotas = [{ remaining: 1000 }, { remaining: 3 }];
      await expect(answer).rejects.toMatchObject({ reason, violations: [{ field: "events" }], quotas });
    }
    expect(log.appends).toHaveLength(reason === undefined ? 1 : 0);
  });

  it("of more than 1 MiB throws ATOMIC_TOO_LARGE", async () => {
    const { log, caller, track } = setUp();
    const large = (id: string) => encodeEvent({ id, name: "click", properties: manyProperties });
    const events = Array.from({ length: 4 }, (_, i) => large(`e${i}`));

    expect((await track.trackMany(caller, events.slice(0, 3), { isAtomic })).outcomes).toHaveLength(3);
    await expect(track.trackMany(caller, events, { isAtomic })).rejects.toMatchObject({
      reason: "ATOMIC_TOO_LARGE",
      violations: [{ field: "events" }],
    });
    expect(log.appends).toHaveLength(1);
  });

  it("that is throttled is to wait until there are tokens for the whole", async () => {
    const { log, caller, track } = setUp();
    const results = [1000, 5000, 9000].map((retryDelayMs) => ({ kind: "throttled" as const, retryDelayMs }));
    log.append = async () => ({ results, quotas: [] });

    await expect(track.trackMany(caller, goods(3), { isAtomic })).rejects.toMatchObject({
      reason: "RATE_LIMITED",
      retryDelayMs: 9000,
    });
  });

  it("throws INTERNAL, rather than say that all is stored, when the log withholds events for no reason", async () => {
    const { log, caller, track } = setUp();
    log.append = async () => ({ results: [{ kind: "withheld" }], quotas: [] });

    await expect(track.trackMany(caller, [good("a")], { isAtomic })).rejects.toMatchObject({ reason: "INTERNAL" });
  });
});
