import fc from "fast-check";
import type { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import { type EventFilter, everyEvent } from "../../src/domain/event-filter.ts";
import { createMatcher } from "../../src/domain/match-event.ts";
import type { ReadRange } from "../../src/domain/ports.ts";
import type { Project } from "../../src/domain/project.ts";
import { projectKeys } from "../../src/redis/keys.ts";
import { placeBehind, type StreamPlace, toStreamId } from "../../src/redis/stream-place.ts";
import { eventToAppend, newProject } from "../support/events.ts";
import { openEventLog } from "../support/open-event-log.ts";
import { idOf, readAll } from "../support/read-all.ts";
import { useRedis } from "../support/use-redis.ts";

const redis = useRedis();

const pages = ["home", "cart", "home/cart", "404"];
const eventInits = fc.record({
  name: fc.constantFrom("view", "click", "purchase"),
  identities: fc.dictionary(fc.constantFrom("visitor", "account"), fc.constantFrom("a", "b", "ü"), { maxKeys: 2 }),
  properties: fc.dictionary(
    fc.constantFrom("page", "order", "other"),
    fc.oneof(
      fc.constantFrom(...pages, 404, true, null),
      fc.array(fc.constantFrom(...pages, 404, false), { maxLength: 3 }),
      // More scalars than an event has terms in one index.
      fc.constant(Array.from({ length: 40 }, (_, i) => `page-${i}`)),
    ),
    { maxKeys: 3 },
  ),
});

const filters: fc.Arbitrary<EventFilter> = fc
  .record(
    {
      names: fc.subarray(["view", "click", "purchase", "absent"], { maxLength: 3 }),
      identity: fc.record({ kind: fc.constantFrom("visitor", "account"), id: fc.constantFrom("a", "b", "ü", "c") }),
      properties: fc
        .dictionary(
          fc.constantFrom("page", "order", "other"),
          fc.array(fc.constantFrom(...pages, 404, "page-39", "page-7", true, null), { minLength: 1, maxLength: 4 }),
          { maxKeys: 2 },
        )
        .map((entries) => new Map(Object.entries(entries))),
    },
    { requiredKeys: [] },
  )
  .map((filter) => ({ ...everyEvent, ...filter }));

const scenario = fc.record({
  /** Events of each chunk. */
  chunks: fc.array(fc.array(eventInits, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 12 }),
  segmentEvents: fc.integer({ min: 1, max: 30 }),
  /** How many of the oldest events retention has removed. */
  trimmedCount: fc.oneof(fc.constant(0), fc.nat(100)),
  queries: fc.array(
    fc.record({
      filter: filters,
      order: fc.constantFrom<ReadRange["order"]>("newest-first", "oldest-first"),
      countMax: fc.integer({ min: 1, max: 20 }),
      /** Between which of the chunks' times: by index. */
      from: fc.option(fc.nat(12), { nil: undefined }),
      until: fc.option(fc.nat(12), { nil: undefined }),
    }),
    { minLength: 1, maxLength: 6 },
  ),
});

/** As retention does: all up to a place are gone. */
async function trimUpTo({ name }: Project, place: StreamPlace | undefined): Promise<void> {
  if (place === undefined) return;
  const keys = projectKeys(name);
  connection ??= redis.connect();
  await connection.xtrim(keys.events, "MINID", "=", toStreamId(placeBehind(place)));
  await connection.hset(keys.meta, "trimmed", toStreamId(place));
}

let connection: Redis | undefined;

describe("EventLog.read, of what a filter lets through", () => {
  it("finds it all in pieces that follow one another, by indexes or without", { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async ({ chunks, segmentEvents, trimmedCount, queries }) => {
        await using opened = await openEventLog(redis.socketPath, { segmentEvents });
        const project = newProject({ indexedProperties: ["page", "order"] });
        const chunkMs: number[] = [];
        for (const [i, inits] of chunks.entries()) {
          const events = inits.map((init, j) => eventToAppend(`${i}/${j}`, init));
          const { results } = await opened.append(project, events);
          const [first] = results;
          if (first?.kind === "accepted") chunkMs.push(first.position.ms);
        }
        const all = await readAll(opened.log, project, { order: "oldest-first", countMax: 1000 });
        expect(all).toHaveLength(chunks.flat().length);
        const stored = all.slice(trimmedCount);
        await trimUpTo(project, all[Math.min(trimmedCount, all.length) - 1]?.position);

        for (const { filter: given, order, countMax, from, until } of queries) {
          const filter = {
            ...given,
            ...(from !== undefined && { receivedFromMs: chunkMs[from] }),
            ...(until !== undefined && { receivedUntilMs: chunkMs[until] }),
          };
          const matches = createMatcher(filter);
          const wanted = stored.filter(matches).map(idOf);
          const found = await readAll(opened.log, project, { order, countMax, filter });
          expect(found.filter(matches).map(idOf)).toEqual(order === "oldest-first" ? wanted : wanted.toReversed());
        }
      }),
      { numRuns: 60 },
    );
  });

  it("reads few other events where an index holds those that match", async () => {
    await using opened = await openEventLog(redis.socketPath, { segmentEvents: 100 });
    const project = newProject({ indexedProperties: ["order"] });
    const inits = Array.from({ length: 1000 }, (_, i) => ({
      name: i % 50 === 0 ? "purchase" : "view",
      identities: { visitor: `${i % 100}` },
      properties: { order: [i, `o-${i}`], page: `${i}` },
    }));
    await opened.append(
      project,
      inits.map((init, i) => eventToAppend(`${i}`, init)),
    );

    const countOf = async (filter: Partial<EventFilter>) => {
      const range = { order: "newest-first" as const, countMax: 1000, filter: { ...everyEvent, ...filter } };
      return (await readAll(opened.log, project, range)).length;
    };
    expect(await countOf({ names: ["purchase"] })).toBe(20);
    expect(await countOf({ identity: { kind: "visitor", id: "7" } })).toBe(10);
    expect(await countOf({ properties: new Map([["order", [77]]]) })).toBe(1);
    expect(await countOf({ properties: new Map([["order", ["o-77"]]]) })).toBe(1);
    // As text it is written as the number is.
    expect(await countOf({ properties: new Map([["order", ["77"]]]) })).toBe(1);
    expect(await countOf({ properties: new Map([["order", [77, "o-77", "o-500", 901, "absent"]]]) })).toBe(3);
    expect(await countOf({ properties: new Map([["order", Array.from({ length: 100 }, (_, i) => 7 * i)]]) })).toBe(100);
    expect(await countOf({ properties: new Map([["page", ["77"]]]) })).toBe(1000);
  });

  it("passes over the records of what retention has removed", async () => {
    await using opened = await openEventLog(redis.socketPath);
    const project = newProject();
    const events = Array.from({ length: 5000 }, (_, i) => eventToAppend(`${i}`, { name: "view" }));
    for (let i = 0; i < events.length; i += 500) await opened.append(project, events.slice(i, i + 500));
    await trimUpTo(
      project,
      (await readAll(opened.log, project, { order: "oldest-first", countMax: 1000 })).at(-11)?.position,
    );

    for (const order of ["newest-first", "oldest-first"] as const) {
      const filter = { ...everyEvent, names: ["view"] };
      const slice = await opened.log.read(project, { order, countMax: 100, filter });
      expect(slice).toMatchObject({ isEnd: true });
      expect(slice.events).toHaveLength(10);
    }
  });

  it("looks into an index from the moment that holds, whatever was known of the segments before", async () => {
    await using opened = await openEventLog(redis.socketPath);
    const project = newProject();
    const filter = { ...everyEvent, names: ["rare"] };
    const range = { order: "newest-first" as const, countMax: 1000, filter };
    expect(await readAll(opened.log, project, range)).toEqual([]);

    const events = Array.from({ length: 200 }, (_, i) => eventToAppend(`${i}`, { name: i === 7 ? "rare" : "view" }));
    await opened.append(project, events);
    await readAll(opened.log, project, range);

    expect((await readAll(opened.log, project, range)).map(idOf)).toEqual(["7"]);
  });

  it("is empty where receive times leave nothing", async () => {
    await using opened = await openEventLog(redis.socketPath);
    const project = newProject();
    await opened.append(project, [eventToAppend("a")]);

    for (const order of ["newest-first", "oldest-first"] as const) {
      const filter = { ...everyEvent, receivedFromMs: 0, receivedUntilMs: 0 };
      expect(await opened.log.read(project, { order, countMax: 10, filter })).toMatchObject({
        events: [],
        isEnd: true,
      });
    }
  });

  it("scans what no index holds, on either side of what one does", async () => {
    await using opened = await openEventLog(redis.socketPath, { segmentEvents: 10 });
    const project = newProject();
    const events = Array.from({ length: 100 }, (_, i) =>
      eventToAppend(`${i}`, { name: i % 9 === 0 ? "rare" : "view" }),
    );
    for (let i = 0; i < events.length; i += 10) await opened.append(project, events.slice(i, i + 10));
    const keys = projectKeys(project.name);
    const connection = redis.connect();
    const bases = (await connection.hkeys(keys.segments)).sort();
    // As if the index had been switched on late, off in between, and as if the oldest events were older than it.
    await connection.hset(keys.segments, bases[3] ?? "", "i", bases[4] ?? "", "");
    await connection.hdel(keys.segments, bases[0] ?? "", bases[1] ?? "");
    await connection.hincrby(keys.meta, "segments_version", 1);

    for (const order of ["newest-first", "oldest-first"] as const) {
      const filter = { ...everyEvent, names: ["rare"] };
      const found = await readAll(opened.log, project, { order, countMax: 4, filter });
      const wanted = Array.from({ length: 12 }, (_, i) => `${9 * i}`);
      expect(found.filter(createMatcher(filter)).map(idOf)).toEqual(
        order === "oldest-first" ? wanted : wanted.toReversed(),
      );
    }
  });
});
