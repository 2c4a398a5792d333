import { describe, expect, it } from "vitest";
import { everyEvent } from "../../src/domain/event-filter.ts";
import { createOldestPlaces } from "../../src/redis/oldest-places.ts";
import { eventToAppend, newProject } from "../support/events.ts";
import { openEventLog } from "../support/open-event-log.ts";
import { readAll } from "../support/read-all.ts";
import { useRedis } from "../support/use-redis.ts";

const redis = useRedis();

describe("EventLog.read, in front of the oldest event", () => {
  it("never has Redis go back from there: it would go through the whole stream", async () => {
    await using opened = await openEventLog(redis.socketPath);
    const project = newProject();
    const { results } = await opened.append(
      project,
      ["a", "b", "c"].map((id) => eventToAppend(id, { name: "view" })),
    );
    const [first] = results;
    if (first?.kind !== "accepted") throw new Error("it was not stored");
    const connection = redis.connect();
    await connection.config("RESETSTAT");

    const range = { order: "newest-first" as const, countMax: 10 };
    const filters = [
      undefined,
      { ...everyEvent, names: ["absent"] },
      { ...everyEvent, names: ["view"], receivedUntilMs: first.position.ms },
      { ...everyEvent, receivedUntilMs: first.position.ms },
    ];
    for (const filter of filters) {
      if (filter !== undefined) expect(await readAll(opened.log, project, { ...range, filter })).toEqual([]);
      else expect(await opened.log.read(project, { ...range, after: first.position })).toMatchObject({ events: [] });
    }
    expect(await connection.info("commandstats")).not.toContain("cmdstat_xrevrange");

    expect(await readAll(opened.log, project, range)).toHaveLength(3);
    expect(await connection.info("commandstats")).toContain("cmdstat_xrevrange");
  });
});

describe("createOldestPlaces", () => {
  const oldest = { ms: 1000, seq: 5 };

  it.each([
    ["behind the oldest", { ms: 1000, seq: 6 }, undefined, true],
    ["the oldest itself", oldest, undefined, false],
    ["before it", { ms: 999, seq: 9 }, undefined, false],
    ["far from what retention removes", { ms: 900_000, seq: 0 }, 100_000, true],
    ["near what it removes", { ms: 850_000, seq: 0 }, 100_000, false],
  ])("knows of an event in front of a place that is certainly there: %s", (_, place, retentionMs, isBefore) => {
    const places = createOldestPlaces(() => 900_000);
    const project = newProject({ retentionMs });
    expect(places.isBefore(project, place)).toBe(false);

    places.learn(project, oldest);

    expect(places.isBefore(project, place)).toBe(isBefore);
  });
});
