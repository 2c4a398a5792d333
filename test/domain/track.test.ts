import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import type { ErrorReason } from "../../src/domain/errors.ts";
import type { EventOutcome } from "../../src/domain/outcome.ts";
import { createTrack } from "../../src/domain/track.ts";
import { callerOf, encodeEvent, newProject } from "../support/events.ts";
import { createFakeEventLog } from "../support/fake-event-log.ts";

const clock = { nowMs: () => Date.UTC(2026, 0, 31) };
const good = (id: string) => encodeEvent({ id, name: "click" });
const nameless = encodeEvent({ id: "nameless" });
const garbage = Buffer.from("not protobuf");

function setUp() {
  const log = createFakeEventLog();
  const project = newProject();
  const told: EventOutcome[][] = [];
  const track = createTrack({ log, clock, onOutcomes: (outcomes) => told.push([...outcomes]) });
  const failIds = (ids: string[], reason: ErrorReason) =>
    log.failWhen(({ id }) => (ids.includes(id) ? reason : undefined));
  return { log, project, caller: callerOf(project), track, told, failIds };
}

describe("Track.track", () => {
  it("stores an event, and tells of it", async () => {
    const { log, project, caller, track, told } = setUp();

    expect(await track.track(caller, good("a"))).toMatchObject({ kind: "accepted", id: "a" });
    expect(log.stored(project)).toMatchObject([{ bytes: good("a"), entrance: "grpc" }]);
    expect(told).toMatchObject([[{ kind: "accepted" }]]);
  });

  it("answers a retry with the position of the original", async () => {
    const { log, project, caller, track } = setUp();
    const { position } = await track.track(caller, good("a"));

    expect(await track.track(caller, good("a"))).toEqual({ kind: "duplicate", id: "a", position });
    expect(log.stored(project)).toHaveLength(1);
  });

  it("stores an event that came as a message", async () => {
    const { log, project, caller, track } = setUp();
    await track.track(caller, create(EventSchema, { id: "a", name: "click" }));

    expect(log.stored(project)).toMatchObject([{ bytes: good("a") }]);
  });

  it("hands the caller's signal to the log, and does not say that the caller waited for room", async () => {
    const { log, caller, track } = setUp();
    await track.track(caller, good("a"));

    expect(log.appends[0]?.options).toEqual({ signal: caller.signal });
  });

  it.each([
    ["another event under the same id", encodeEvent({ id: "a", name: "other" }), "ID_CONFLICT", "event.id"],
    ["an invalid event", nameless, "EVENT_INVALID", "event.name"],
    ["what is no event", garbage, "MALFORMED", "event"],
  ] as const)("throws for %s, and stores nothing", async (_, event, reason, field) => {
    const { log, project, caller, track } = setUp();
    await track.track(caller, good("a"));

    await expect(track.track(caller, event)).rejects.toMatchObject({ reason, violations: [{ field }] });
    expect(log.stored(project)).toHaveLength(1);
  });

  it.each(["STORAGE_UNAVAILABLE", "STORAGE_FULL", "OVERLOADED", "OUTCOME_UNKNOWN"] as const)(
    "throws the log's own %s",
    async (reason) => {
      const { caller, track, failIds } = setUp();
      failIds(["a"], reason);

      await expect(track.track(caller, good("a"))).rejects.toMatchObject({ reason });
    },
  );

  it("throws INTERNAL, with the cause, when the log breaks its word and throws", async () => {
    const { log, caller, track } = setUp();
    const cause = new Error("a fault of ours");
    log.append = () => Promise.reject(cause);

    await expect(track.track(caller, good("a"))).rejects.toMatchObject({ reason: "INTERNAL", cause });
  });

  it("throws INTERNAL when the log answers for fewer events than it got", async () => {
    const { log, caller, track } = setUp();
    log.append = async () => [];

    await expect(track.track(caller, good("a"))).rejects.toMatchObject({ reason: "INTERNAL" });
  });
});

describe("Track.trackMany", () => {
  it("has an outcome for each event, in the order of the request", async () => {
    const { log, project, caller, track, failIds } = setUp();
    await track.track(caller, good("known"));
    failIds(["full"], "STORAGE_FULL");
    const conflict = encodeEvent({ id: "known", name: "other" });

    const outcomes = await track.trackMany(caller, [
      good("a"),
      garbage,
      good("known"),
      nameless,
      good("full"),
      conflict,
      good("b"),
    ]);

    expect(outcomes).toMatchObject([
      { kind: "accepted", id: "a" },
      { kind: "rejected", reason: "MALFORMED", violation: { field: "" } },
      { kind: "duplicate", id: "known" },
      { kind: "rejected", reason: "EVENT_INVALID", id: "nameless", violation: { field: "name" } },
      { kind: "failed", id: "full" },
      { kind: "rejected", reason: "ID_CONFLICT", id: "known", violation: { field: "id" } },
      { kind: "accepted", id: "b" },
    ]);
    expect(log.stored(project)).toHaveLength(3);
  });

  it("stores the events of one request in one call, in their order", async () => {
    const { log, caller, track } = setUp();
    await track.trackMany(caller, [good("a"), nameless, good("b")]);

    expect(log.appends.map(({ events }) => events.map(({ id }) => id))).toEqual([["a", "b"]]);
  });

  it("does not trouble the log when no event is valid", async () => {
    const { log, caller, track } = setUp();

    expect(await track.trackMany(caller, [nameless])).toMatchObject([{ kind: "rejected" }]);
    expect(log.appends).toEqual([]);
  });

  it("throws when storage answered for none of those that were valid", async () => {
    const { caller, track, failIds } = setUp();
    failIds(["a", "b"], "STORAGE_UNAVAILABLE");

    await expect(track.trackMany(caller, [nameless, good("a"), good("b")])).rejects.toMatchObject({
      reason: "STORAGE_UNAVAILABLE",
    });
  });

  it.each([
    ["an accepted event", good("b"), "accepted"],
    ["a conflict", encodeEvent({ id: "known", name: "other" }), "rejected"],
  ] as const)("does not throw when %s is among those that failed", async (_, event, kind) => {
    const { caller, track, failIds } = setUp();
    await track.track(caller, good("known"));
    failIds(["a"], "OUTCOME_UNKNOWN");

    expect(await track.trackMany(caller, [good("a"), event])).toMatchObject([{ kind: "failed" }, { kind }]);
  });

  it.each([
    ["no event", 0, "MALFORMED"],
    ["501 events", 501, "TOO_LARGE"],
  ] as const)("refuses %s, and stores nothing", async (_, count, reason) => {
    const { log, caller, track } = setUp();
    const events = Array.from({ length: count }, (_, i) => good(`${i}`));

    await expect(track.trackMany(caller, events)).rejects.toMatchObject({ reason });
    expect(log.appends).toEqual([]);
  });

  it("takes 500 events", async () => {
    const { caller, track } = setUp();
    const events = Array.from({ length: 500 }, (_, i) => good(`${i}`));

    expect(await track.trackMany(caller, events)).toHaveLength(500);
  });
});
