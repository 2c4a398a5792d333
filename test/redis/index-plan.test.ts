import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type EventFilter, everyEvent } from "../../src/domain/event-filter.ts";
import type { ReadRange } from "../../src/domain/ports.ts";
import type { Project } from "../../src/domain/project.ts";
import { parsePlan, planIndexes } from "../../src/redis/index-plan.ts";
import { eventToAppend, newProject } from "../support/events.ts";
import { openEventLog } from "../support/open-event-log.ts";
import { idOf, readAll } from "../support/read-all.ts";
import { useRedis } from "../support/use-redis.ts";

const redis = useRedis();

describe("planIndexes", () => {
  it("makes one plan of the same properties, whatever their order, which its text gives back", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ unit: "grapheme", maxLength: 20 })), (properties) => {
        const plan = planIndexes(properties);
        expect(planIndexes([...properties, ...properties].reverse())).toEqual(plan);
        expect(parsePlan(plan.text)).toEqual(plan);
        expect(new Set(plan.ids).size).toBe(2 + properties.length);
      }),
    );
  });

  it.each(["", "{}", "[]", '["name"]', '["name","identity","order"]', '["identity","name"]'])(
    "takes no text for a plan that it did not write: %s",
    (text) => {
      expect(() => parsePlan(text)).toThrow();
    },
  );
});

describe("servers whose settings differ about the indexes", () => {
  const byOrder: EventFilter = { ...everyEvent, properties: new Map([["order", ["1"]]]) };
  const range: ReadRange = { order: "oldest-first", countMax: 100, filter: byOrder };

  async function openTwo(first: readonly string[], second: readonly string[]) {
    const log = await openEventLog(redis.socketPath);
    const other = await openEventLog(redis.socketPath);
    const project = newProject({ indexedProperties: first });
    const sameProject: Project = { ...project, settings: { ...project.settings, indexedProperties: second } };
    return { log, other, project, sameProject };
  }

  it("append by the plan that is stored, so that a look into an index misses none of their events", async () => {
    const { log, other, project, sameProject } = await openTwo(["order"], []);
    await using _log = log;
    await using _other = other;

    for (let i = 0; i < 20; i++) {
      const properties = { order: i % 2 };
      await log.append(project, [eventToAppend(`a${i}`, { properties })]);
      const { results } = await other.append(sameProject, [eventToAppend(`b${i}`, { properties })]);
      expect(results.map(({ kind }) => kind)).toEqual(["accepted"]);
    }

    expect(await readAll(other.log, sameProject, range)).toHaveLength(20);
  });

  it("keep the order of a sequence when the plan changes under it", async () => {
    const { log, other, project, sameProject } = await openTwo(["order"], []);
    await using _log = log;
    await using _other = other;
    // This one knows its own plan only: the other's is stored once it has appended.
    await log.append(project, [eventToAppend("first", { properties: { order: 1 } })]);

    const sequence = {};
    const ids = Array.from({ length: 3000 }, (_, i) => `${i}`);
    const calls = [];
    for (let i = 0; i < ids.length; i += 250) {
      const events = ids.slice(i, i + 250).map((id) => eventToAppend(id, { properties: { order: 1 } }));
      calls.push(other.append(sameProject, events, { sequence }));
    }
    const kinds = (await Promise.all(calls)).flatMap(({ results }) => results.map(({ kind }) => kind));

    expect(new Set(kinds)).toEqual(new Set(["accepted"]));
    const found = await readAll(log.log, project, range);
    expect(found.map(idOf)).toEqual(["first", ...ids]);
  });
});
