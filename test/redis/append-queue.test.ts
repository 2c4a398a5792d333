import { setImmediate as nextPass } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Appended, AppendSequence } from "../../src/domain/ports.ts";
import { eventWithoutId } from "../support/chunk-appender.ts";
import { eventToAppend, newProject } from "../support/events.ts";
import { endsOf, openEventLog, placesOf } from "../support/open-event-log.ts";
import { useRedis } from "../support/use-redis.ts";

const redis = useRedis();

const some = (count: number) => Array.from({ length: count }, () => eventWithoutId());
const times = <T>(count: number, value: T) => Array.from({ length: count }, () => value);

async function countScriptCalls(): Promise<number> {
  const stats = await redis.connect().info("commandstats");
  return [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].reduce((sum, [, calls]) => sum + Number(calls), 0);
}

describe("createAppendQueue", () => {
  it("appends what arrives in one pass of the event loop in one script call, in order", async () => {
    await using opened = await openEventLog(redis.socketPath);
    const project = newProject();
    await opened.append(newProject(), some(1));
    const before = await countScriptCalls();

    const calls = await Promise.all(Array.from({ length: 50 }, () => opened.append(project, some(3))));

    expect(await countScriptCalls()).toBe(before + 1);
    expect(calls.flatMap(placesOf)).toEqual(calls.flatMap(placesOf).toSorted());
  });

  it("lets others pass while a limited sequence waits for its first chunk", async () => {
    await using opened = await openEventLog(redis.socketPath, { chunkEvents: 1 });
    const project = newProject({ rateLimits: [{ events: 10, perMs: 3_600_000 }] });
    const sequence = {};
    await opened.append(project, some(1));

    const calls = await Promise.all([
      opened.append(project, some(1), { sequence }),
      opened.append(project, some(1), { sequence }),
      opened.append(project, some(1)),
    ]);

    const [first, second, other] = calls.flatMap(placesOf);
    expect([first, other, second]).toEqual([first, other, second].toSorted());
  });

  it("throttles the rest of a sequence without asking Redis", async () => {
    await using opened = await openEventLog(redis.socketPath, { chunkEvents: 10 });
    const project = newProject({ rateLimits: [{ events: 5, perMs: 3_600_000 }] });
    const sequence = {};
    expect(endsOf(await opened.append(project, some(6), { sequence }))).toEqual([...times(5, "accepted"), "throttled"]);
    const before = await countScriptCalls();

    const behind = await opened.append(project, some(200), { sequence });

    expect(endsOf(behind)).toEqual(times(200, "throttled"));
    expect(await countScriptCalls()).toBe(before);
  });

  it("tells each call how long its own events have to wait, not those that it shares a chunk with", async () => {
    await using opened = await openEventLog(redis.socketPath);
    const project = newProject({ rateLimits: [{ events: 500, perMs: 500_000 }] });
    await opened.append(project, some(500));
    const before = await countScriptCalls();

    const calls = await Promise.all([opened.append(project, some(300)), opened.append(project, some(1))]);

    const delays = calls.map(({ results }) => results.map((one) => (one.kind === "throttled" ? one.retryDelayMs : 0)));
    expect(await countScriptCalls()).toBe(before + 1);
    expect(delays[1]).toEqual([delays[0]?.[0]]);
    expect(delays[1]?.[0]).toBeLessThanOrEqual(1000);
    expect(delays[0]?.[299]).toBeGreaterThan(290_000);
  });

  it("fails the rest of a sequence once the project is full", async () => {
    await using opened = await openEventLog(redis.socketPath, { chunkEvents: 4, chunksInFlight: 1 });
    const project = newProject({ eventsMax: 3 });
    const sequence = {};

    const appended = await opened.append(project, some(9), { sequence });

    expect(endsOf(appended)).toEqual([...times(3, "accepted"), ...times(6, "STORAGE_FULL")]);
    expect(sequence).toMatchObject({ failure: { reason: "STORAGE_FULL" } });
    expect(endsOf(await opened.append(project, some(1)))).toEqual(["STORAGE_FULL"]);
  });

  it("goes on when Redis has forgotten the script", async () => {
    await using opened = await openEventLog(redis.socketPath, { chunkEvents: 2 });
    const project = newProject();
    await opened.append(project, some(1));
    await redis.connect().script("FLUSH");

    const appended = await opened.append(project, some(40));

    expect(placesOf(appended)).toEqual(placesOf(appended).toSorted());
    expect(endsOf(appended)).toEqual(times(40, "accepted"));
  });

  it("stores nothing of an atomic append between others when it does not fit, whatever a chunk may hold", async () => {
    await using opened = await openEventLog(redis.socketPath, { chunkEvents: 2 });
    const project = newProject({ rateLimits: [{ events: 7, perMs: 3_600_000 }] });

    const calls = await Promise.all([
      opened.append(project, some(2)),
      opened.append(project, some(6), { isAtomic: true }),
      opened.append(project, some(4)),
    ]);

    const stopped = [...times(5, "withheld"), "throttled"];
    expect(calls.map(endsOf)).toEqual([times(2, "accepted"), stopped, times(4, "accepted")]);
  });

  it("stores an atomic append of 500 events and 4 MiB in one piece", async () => {
    await using opened = await openEventLog(redis.socketPath);
    const project = newProject({ rateLimits: [{ events: 1000, perMs: 3_600_000 }] });
    const text = "x".repeat((4 << 20) / 500 - 100);
    const large = Array.from({ length: 500 }, (_, i) => eventToAppend(`${i}`, { properties: { text } }));

    const calls = await Promise.all([
      opened.append(project, some(3)),
      opened.append(project, large, { isAtomic: true }),
      opened.append(project, some(3)),
    ]);

    const places = calls.flatMap(placesOf);
    expect(places).toEqual(places.toSorted());
    expect(new Set(places.slice(3, 503).map((place) => place.split("-")[0])).size).toBe(1);
    expect(calls.flatMap(endsOf)).toEqual(times(506, "accepted"));
  });

  const anyAppend = fc.record({
    /** The last one is none: a call of its own. */
    sequence: fc.nat(3),
    count: fc.integer({ min: 1, max: 12 }),
    passes: fc.nat(2),
  });

  it.each([
    ["without limits", [], 15],
    ["under a limit that refills all the time", [{ events: 15, perMs: 30 }], 40],
    [
      "under two limits",
      [
        { events: 10, perMs: 5 },
        { events: 60, perMs: 3_600_000 },
      ],
      25,
    ],
  ])("stores no event of a sequence behind one that it did not store: %s", async (_, rateLimits, numRuns) => {
    await using opened = await openEventLog(redis.socketPath, { chunkEvents: 4, chunksInFlight: 4 });
    await fc.assert(
      fc.asyncProperty(fc.array(anyAppend, { minLength: 5, maxLength: 40 }), async (appends) => {
        const project = newProject({ rateLimits });
        const sequences: AppendSequence[] = [{}, {}, {}];
        const answers: Promise<Appended>[][] = [[], [], [], []];
        for (const { sequence: i, count, passes } of appends) {
          const sequence = sequences[i];
          answers[i]?.push(opened.append(project, some(count), sequence && { sequence }));
          for (let pass = 0; pass < passes; pass++) await nextPass();
        }

        for (const calls of answers) {
          const own = await Promise.all(calls);
          if (calls === answers[3]) {
            for (const call of own) expectPrefix(call);
          } else {
            expectPrefix({ results: own.flatMap(({ results }) => results), quotas: [] });
          }
        }
        if (rateLimits.length === 0) {
          const all = await Promise.all(answers.flat());
          expect(new Set(all.flatMap(endsOf))).toEqual(new Set(["accepted"]));
        }
      }),
      { numRuns },
    );
  });
});

/** Some are stored, in order; then none. */
function expectPrefix(appended: Appended): void {
  const ends = endsOf(appended);
  const count = ends.filter((end) => end === "accepted").length;
  expect(ends).toEqual([...times(count, "accepted"), ...times(ends.length - count, "throttled")]);
  const places = placesOf(appended).slice(0, count);
  expect(places).toEqual(places.toSorted());
  expect(new Set(places).size).toBe(count);
}
