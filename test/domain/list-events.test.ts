import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isBefore } from "../../src/domain/cursor.ts";
import { SluiceError } from "../../src/domain/errors.ts";
import type { EventFilter, FilterQuery, PropertyScalar } from "../../src/domain/event-filter.ts";
import type { ListEvents, ListQuery } from "../../src/domain/list-events.ts";
import { createListEvents } from "../../src/domain/list-events.ts";
import { narrowFilter } from "../../src/domain/narrow-filter.ts";
import type { Reader } from "../../src/domain/page-query.ts";
import { createPageTokens } from "../../src/domain/page-token.ts";
import type { StoredEvent } from "../../src/domain/ports.ts";
import {
  arbitraryInit,
  arbitraryQuery,
  environmentNames,
  matchesDecoded,
  noFilter,
} from "../support/arbitrary-filters.ts";
import type { EventInit } from "../support/events.ts";
import { callerOf, eventToAppend, newProject } from "../support/events.ts";
import type { FakeLogOptions } from "../support/fake-event-log.ts";
import { createFakeEventLog, firstMs } from "../support/fake-event-log.ts";

const secret = Buffer.alloc(32, 1);
const everything: ListQuery = { filter: noFilter, order: "newest-first", pageSize: 0, pageToken: "" };

type AnyQuery = Partial<FilterQuery> & Partial<Omit<ListQuery, "filter">>;

function toQuery({ order = "newest-first", pageSize = 0, pageToken = "", after, ...filter }: AnyQuery): ListQuery {
  return { filter: { ...noFilter, ...filter }, order, pageSize, pageToken, after };
}

function setUp(options: FakeLogOptions = {}) {
  const log = createFakeEventLog(options);
  const project = newProject();
  const listEvents = createListEvents(
    log,
    createPageTokens(() => secret),
  );
  let count = 0;
  const store = (events: readonly EventInit[]) =>
    log.append(
      project,
      "grpc",
      events.map((init) => eventToAppend(`e${++count}`, init)),
    );
  const list = (query: AnyQuery = {}, environments: readonly string[] = []) =>
    listEvents({ project, environments }, toQuery(query));
  return { log, project, caller: callerOf(project), listEvents, store, list };
}

/** All pages one after the other; `meanwhile` runs before each but the first. */
async function listPages(
  listEvents: ListEvents,
  caller: Reader,
  query: ListQuery,
  meanwhile: () => Promise<unknown> = async () => {},
): Promise<StoredEvent[][]> {
  const pages: StoredEvent[][] = [];
  for (let pageToken = ""; ; ) {
    const page = await listEvents(caller, { ...query, pageToken });
    pages.push([...page.events]);
    if (page.nextPageToken === "") return pages;
    // Else a test that fails would not end.
    if (pages.length > 1000) throw new Error("the pages come to no end");
    pageToken = page.nextPageToken;
    await meanwhile();
  }
}

/** What a query should return of all that is stored, by the plainest means. */
function answerOf(stored: readonly StoredEvent[], filter: EventFilter, order: ListQuery["order"]): StoredEvent[] {
  const matching = stored.filter((event) => matchesDecoded(filter, event));
  return order === "oldest-first" ? matching : matching.toReversed();
}

const order = fc.constantFrom("newest-first" as const, "oldest-first" as const);
const pageSize = fc.integer({ min: 0, max: 12 });

describe("createListEvents", () => {
  it.each([
    ["looks at everything", false],
    ["looks events up, and leaves out most that do not match", true],
  ])(
    "returns, over all pages, what the query asks for: each event once, in order, while others are written; of a log that %s",
    async (_, isIndexed) => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(arbitraryInit, { maxLength: 60 }),
          fc.array(fc.array(arbitraryInit, { maxLength: 4 }), { maxLength: 6 }),
          arbitraryQuery(firstMs, 60),
          fc.subarray(environmentNames),
          order,
          pageSize,
          fc.integer({ min: 1, max: 30 }),
          async (inits, writes, filterQuery, bound, order, pageSize, readMax) => {
            const environments = filterQuery.environment === "" ? bound : [];
            const filter = narrowFilter(filterQuery, { environments, project: newProject() });
            // Some that do not match still come, as when fingerprints are alike.
            const leavesOut = (event: StoredEvent) => !matchesDecoded(filter, event) && event.position.seq !== 1;
            const { log, project, listEvents, store } = setUp({ readMax, ...(isIndexed && { leavesOut }) });
            const remaining = [...writes];
            const write = () => store(remaining.shift() ?? []);
            await store(inits);
            const atStart = log.stored(project).length;
            const query: ListQuery = { filter: filterQuery, order, pageSize, pageToken: "" };

            const pages = await listPages(listEvents, { project, environments }, query, write);

            const stored = log.stored(project);
            // Oldest first has to return what was written before it came to the end, too: a page follows each write.
            const there = order === "oldest-first" ? stored : stored.slice(0, atStart);
            expect(pages.flat()).toEqual(answerOf(there, filter, order));
            expect(pages.slice(0, -1).every((page) => page.length === (pageSize || 20))).toBe(true);
          },
        ),
        { numRuns: 300 },
      );
    },
  );

  it("begins behind a position, of an event or of none, and pages on from there as ever", async () => {
    let afterCount = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(arbitraryInit, { minLength: 1, maxLength: 40, size: "max" }),
        // One part of a filter at a time, or hardly anything would match.
        fc
          .tuple(arbitraryQuery(firstMs, 40), fc.constantFrom("names", "properties", "receivedUntilMs", "identity"))
          .map(([filter, part]) => ({ ...noFilter, includeTest: true, [part]: filter[part] })),
        order,
        pageSize,
        fc.integer({ min: -1, max: 15 }),
        fc.nat(3),
        async (inits, filterQuery, order, pageSize, msOffset, seq) => {
          const { log, project, caller, listEvents, store } = setUp({ readMax: 7 });
          await store(inits);
          const filter = narrowFilter(filterQuery, caller);
          const stored = log.stored(project);
          const after = { epoch: stored[0]?.position.epoch ?? "", ms: firstMs + msOffset, seq };
          const behind = stored.filter(({ position }) =>
            order === "oldest-first" ? isBefore(after, position) : isBefore(position, after),
          );
          const query: ListQuery = { filter: filterQuery, order, pageSize, pageToken: "" };

          const pages = await listPages(listEvents, caller, { ...query, after });

          expect(pages.flat()).toEqual(answerOf(behind, filter, order));
          expect(pages.slice(0, -1).every((page) => page.length === (pageSize || 20))).toBe(true);
          afterCount += pages.flat().length;
          // The token alone says where to go on: it is good without the position, too.
          const { nextPageToken: pageToken } = await listEvents(caller, { ...query, after });
          if (pageToken === "") return;
          expect((await listEvents(caller, { ...query, pageToken })).events).toEqual(pages[1]);
        },
      ),
      { numRuns: 200 },
    );
    // Else it would show little.
    expect(afterCount).toBeGreaterThan(500);
  });

  it("goes on from a page token, whatever position is with it", async () => {
    const { log, project, store, list } = setUp();
    await store(Array.from({ length: 6 }, () => ({})));
    const stored = log.stored(project);
    const { nextPageToken: pageToken } = await list({ pageSize: 2 });

    expect((await list({ pageToken, after: stored[0]?.position })).events).toEqual(stored.slice(0, 4).reverse());
  });

  it.each([
    ["of another data set", { epoch: "other-epoch-" }, 0],
    ["from before what is kept", {}, 5],
  ])("says that a position %s has expired", async (_, other, trimmedCount) => {
    const { log, project, store, list } = setUp();
    await store(Array.from({ length: 9 }, () => ({})));
    const [first] = log.stored(project);
    if (first === undefined) throw new Error("nothing is stored");
    log.trim(project, trimmedCount);

    await expect(list({ order: "oldest-first", after: { ...first.position, ...other } })).rejects.toMatchObject({
      reason: "CURSOR_EXPIRED",
    });
  });

  it("never seeks what is out of the range of receive times", async () => {
    const { log, list, store } = setUp();
    await store(Array.from({ length: 3000 }, () => ({})));

    const { events } = await list({ receivedFromMs: firstMs + 500, receivedUntilMs: firstMs + 502, pageSize: 100 });

    expect(events.map(({ position }) => position.ms - firstMs)).toEqual([501, 501, 501, 500, 500, 500]);
    expect(log.reads).toEqual([6]);
  });

  it.each([
    ["20 events when the page size is 0", 0, 20],
    ["as many as asked for", 7, 7],
    ["1,000 at most", 5000, 1000],
  ])("puts on a page %s", async (_, pageSize, count) => {
    const { store, list } = setUp();
    await store(Array.from({ length: 1001 }, () => ({})));

    expect((await list({ pageSize })).events).toHaveLength(count);
  });

  it("has no token after a last page that is full, and none for an empty project", async () => {
    const { store, list } = setUp();
    expect(await list()).toEqual({ events: [], nextPageToken: "" });
    await store([{}, {}]);

    expect((await list({ pageSize: 2 })).nextPageToken).toBe("");
    expect((await list({ pageSize: 1 })).nextPageToken).not.toBe("");
  });

  it("lets the page size change from page to page", async () => {
    const { store, list } = setUp();
    await store(Array.from({ length: 6 }, () => ({})));
    const first = await list({ pageSize: 1 });
    const rest = await list({ pageSize: 1000, pageToken: first.nextPageToken });

    expect(first.events).toHaveLength(1);
    expect(rest.events).toHaveLength(5);
  });

  it("ends a page before 3 MiB, with a token, and loses nothing", async () => {
    const { log, project, caller, listEvents, store } = setUp();
    const properties = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`p${i}`, "x".repeat(16_000)]));
    await store(Array.from({ length: 12 }, () => ({ properties })));

    const pages = await listPages(listEvents, caller, { ...everything, order: "oldest-first" });

    const sizes = pages.map((page) => page.reduce((sum, { bytes }) => sum + bytes.length, 0));
    expect(sizes.every((size) => size <= 3 << 20)).toBe(true);
    expect(pages.map((page) => page.length)).toEqual([4, 4, 4]);
    expect(pages.flat()).toEqual(log.stored(project));
  });

  it.each([
    ["a name that no event has", { names: ["unheard of"] }, [], {}],
    ["no test events where all are", {}, [], { test: true }],
    ["an environment that no event has", {}, ["production"], { environment: "staging" }],
  ])(
    "looks at 10,000 entries a call at most for %s, and still comes to an end",
    async (_, query, environments, init) => {
      const { log, project, listEvents, store } = setUp({ readMax: 3000 });
      await store(Array.from({ length: 25_000 }, () => init));
      const looked: number[] = [];
      let before = 0;
      const note = async () => {
        const sum = log.reads.reduce((total, count) => total + count, 0);
        looked.push(sum - before);
        before = sum;
      };

      const pages = await listPages(listEvents, { project, environments }, toQuery({ ...query, pageSize: 1000 }), note);

      expect(pages).toEqual([[], [], []]);
      expect(looked).toEqual([10_000, 10_000]);
    },
  );

  it("finds what is far behind in a page that comes short", async () => {
    const { store, list } = setUp();
    await store([{ name: "rare" }, ...Array.from({ length: 10_500 }, () => ({})), { name: "rare" }]);

    const first = await list({ names: ["rare"] });
    const second = await list({ names: ["rare"], pageToken: first.nextPageToken });

    expect([first.events.length, second.events.length]).toEqual([1, 1]);
    expect(second.nextPageToken).toBe("");
  });

  const full: AnyQuery = {
    names: ["click", "view"],
    identity: { kind: "user", id: "1" },
    values: [1, 10, 2],
    valueMin: 1,
    valueMax: 10,
    properties: new Map<string, PropertyScalar[]>([
      ["status", [404, 500, "gone"]],
      ["ok", [true]],
    ]),
    receivedFromMs: firstMs - 1,
    receivedUntilMs: firstMs + 9,
  };
  const withProperty = (name: string, ...scalars: PropertyScalar[]): AnyQuery => ({
    properties: new Map([...(full.properties ?? []), [name, scalars]]),
  });
  const matching: EventInit = {
    name: "click",
    identities: { user: "1" },
    value: 1,
    properties: { status: 404, ok: true },
    environment: "production",
  };

  it.each<[string, AnyQuery]>([
    ["another order", { order: "oldest-first" }],
    ["other names", { names: ["click"] }],
    ["no names", { names: [] }],
    ["another kind of identity", { identity: { kind: "account", id: "1" } }],
    ["another identity", { identity: { kind: "user", id: "2" } }],
    ["no identity", { identity: undefined }],
    ["an environment", { environment: "production" }],
    ["other values", { values: [1, 2] }],
    ["another least value", { valueMin: 0 }],
    ["no least value", { valueMin: undefined }],
    ["another greatest value", { valueMax: 11 }],
    ["another property", withProperty("p", null)],
    ["a property of another type", withProperty("ok", "true")],
    ["one of a property's scalars of another type", withProperty("status", "404", 500, "gone")],
    ["a scalar less", withProperty("status", 404, 500)],
    ["only one of the scalars", withProperty("status", 404)],
    ["a scalar more", withProperty("ok", true, false)],
    ["the scalars' JSON as a text", withProperty("status", JSON.stringify(['"gone"', "404", "500"]))],
    ["no properties", { properties: new Map() }],
    ["another start", { receivedFromMs: firstMs }],
    ["another end", { receivedUntilMs: undefined }],
    ["test events too", { includeTest: true }],
  ])("refuses a page token with %s", async (_, other) => {
    const { store, list } = setUp();
    await store([matching, matching, matching]);
    const { nextPageToken: pageToken } = await list({ ...full, pageSize: 1 });

    await expect(list({ ...full, ...other, pageToken })).rejects.toMatchObject({ reason: "PAGE_TOKEN_INVALID" });
  });

  it.each<[string, AnyQuery]>([
    ["another page size", { pageSize: 7 }],
    ["the names in another order, and twice", { names: ["view", "click", "view"] }],
    ["the values in another order, and twice", { values: [10, 2, 1, 2] }],
    ["the properties in another order", { properties: new Map([...(full.properties ?? [])].reverse()) }],
    ["a property's scalars in another order, and twice", withProperty("status", "gone", 500, 404, 500)],
    ["a property's only scalar twice", withProperty("ok", true, true)],
  ])("takes a page token with %s", async (_, other) => {
    const { store, list } = setUp();
    await store([matching, matching, matching]);
    const { nextPageToken: pageToken } = await list({ ...full, pageSize: 1 });

    expect((await list({ ...full, pageSize: 2, ...other, pageToken })).events).toHaveLength(2);
  });

  it("takes a page token from before a property could have several scalars", async () => {
    const { log, project, store, list } = setUp();
    await store([matching, matching, matching]);
    const properties = [
      ["ok", true],
      ["status", 404],
    ];
    const parts = [["click", "view"], "user", "1", [], [1, 10, 2], 1, 10, properties, firstMs - 1, firstMs + 9, false];
    const scope = JSON.stringify(["ListEvents", project.name, [], "newest-first", ...parts]);
    const newest = log.stored(project).at(-1);
    if (newest === undefined) throw new Error("nothing is stored");
    const pageToken = createPageTokens(() => secret).seal(scope, newest.position);

    expect((await list({ ...full, ...withProperty("status", 404), pageToken })).events).toHaveLength(2);
  });

  it("refuses a page token of another project, and of another secret", async () => {
    const { log, caller, listEvents, store, list } = setUp();
    await store([{}, {}]);
    const query = { ...everything, pageSize: 1, pageToken: (await list({ pageSize: 1 })).nextPageToken };
    const other = createListEvents(
      log,
      createPageTokens(() => Buffer.alloc(32, 2)),
    );

    await expect(listEvents(callerOf(newProject()), query)).rejects.toMatchObject({ reason: "PAGE_TOKEN_INVALID" });
    await expect(other(caller, query)).rejects.toMatchObject({ reason: "PAGE_TOKEN_INVALID" });
  });

  it("shows a key that is bound to environments only what is in one of these", async () => {
    const { store, list } = setUp();
    await store([{ environment: "production" }, {}, { environment: "staging" }]);

    expect((await list({}, ["production"])).events).toHaveLength(1);
    expect((await list({}, ["staging", "production"])).events).toHaveLength(2);
    expect((await list()).events).toHaveLength(3);
  });

  it("refuses an environment that the key may not read", async () => {
    const { store, list } = setUp();
    await store([{ environment: "staging" }]);

    expect((await list({ environment: "staging" }, ["production", "staging"])).events).toHaveLength(1);
    await expect(list({ environment: "staging" }, ["production"])).rejects.toMatchObject({
      reason: "ENVIRONMENT_FORBIDDEN",
      violations: [{ field: "filter.environment" }],
    });
  });

  it.each([1, 20, 999, 1000])("reads once for a page of %i without a filter", async (pageSize) => {
    const { log, store, list } = setUp();
    await store(Array.from({ length: 1002 }, () => ({})));

    expect((await list({ pageSize })).events).toHaveLength(pageSize);
    expect(log.ranges).toMatchObject([{ countMax: pageSize + 1 }]);
  });

  it("asks the log for twice as much each time, up to 1,000, while a filter lets few through", async () => {
    const { log, store, list } = setUp();
    await store(Array.from({ length: 5000 }, () => ({})));

    expect(await list({ pageSize: 99, names: ["unheard of"] })).toEqual({ events: [], nextPageToken: "" });
    expect(log.ranges.map(({ countMax }) => countMax)).toEqual([100, 200, 400, 800, 1000, 1000, 1000, 1000]);
  });

  it("asks the log for what is missing on the page when all that it gave matched", async () => {
    const { log, store, list } = setUp({ readMax: 30 });
    await store(Array.from({ length: 100 }, () => ({})));

    expect((await list({ pageSize: 70 })).events).toHaveLength(70);
    expect(log.ranges.map(({ countMax }) => countMax)).toEqual([71, 41, 11]);
  });

  it("tells the log what it looks for, within the environments that the key may read", async () => {
    const { log, list } = setUp();
    await list({ names: ["click"], order: "oldest-first" }, ["production"]);

    expect(log.ranges).toMatchObject([
      { order: "oldest-first", filter: { names: ["click"], environments: ["production"], includeTest: false } },
    ]);
  });

  it("comes to an end when the log passes events without looking at them", async () => {
    const { log, store, list } = setUp({ readMax: 1, leavesOut: () => true });
    await store(Array.from({ length: 10_005 }, () => ({})));

    const first = await list({ names: ["unheard of"] });
    const readsOfFirst = log.reads.length;
    const second = await list({ names: ["unheard of"], pageToken: first.nextPageToken });

    expect([first.events, readsOfFirst, second]).toEqual([[], 10_000, { events: [], nextPageToken: "" }]);
  });

  it("ends with the reason of the caller's signal once that is aborted, and reads no more", async () => {
    const { log, project, listEvents, store } = setUp({ readMax: 10 });
    await store(Array.from({ length: 100 }, () => ({})));
    const { promise, resolve } = Promise.withResolvers<void>();
    const aborter = new AbortController();
    const read: typeof log.read = async (...range) => {
      resolve();
      return log.read(...range);
    };
    const tokens = createPageTokens(() => secret);
    const listing = createListEvents({ ...log, read }, tokens)(
      { project, environments: [], signal: aborter.signal },
      toQuery({ names: ["unheard of"] }),
    );
    await promise;
    aborter.abort();

    await expect(listing).rejects.toMatchObject({ reason: "CALL_ENDED" });
    expect(log.reads).toHaveLength(1);
    const ended = AbortSignal.abort(new SluiceError("DEADLINE_EXCEEDED", "too late"));
    await expect(listEvents({ project, environments: [], signal: ended }, everything)).rejects.toMatchObject({
      reason: "DEADLINE_EXCEEDED",
    });
  });

  it("says that the log has lost what is behind a page token", async () => {
    const { log, project, store, list } = setUp();
    await store(Array.from({ length: 9 }, () => ({})));
    const { nextPageToken: pageToken } = await list({ pageSize: 2, order: "oldest-first" });
    log.trim(project, 5);

    await expect(list({ pageSize: 2, order: "oldest-first", pageToken })).rejects.toMatchObject({
      reason: "CURSOR_EXPIRED",
    });
  });

  it.each([
    ["one bound to environments", [], ["production"]],
    ["one bound to others", ["production"], ["staging"]],
    ["one bound to more", ["production"], ["production", "staging"]],
    ["one bound to none", ["production"], []],
  ])("refuses a page token that was made for another key: %s", async (_, sealedFor, usedBy) => {
    const { store, list } = setUp();
    await store([{ environment: "production" }, { environment: "production" }]);
    const { nextPageToken: pageToken } = await list({ pageSize: 1 }, sealedFor);

    await expect(list({ pageToken }, usedBy)).rejects.toMatchObject({ reason: "PAGE_TOKEN_INVALID" });
    expect((await list({ pageToken }, sealedFor)).events).toHaveLength(1);
  });

  it.each<[string, AnyQuery, string]>([
    ["a negative page size", { pageSize: -1 }, "page_size"],
    ["a filter that is out of its bounds", { names: ["a", ""] }, "filter.names[1]"],
  ])("refuses %s", async (_, query, field) => {
    await expect(setUp().list(query)).rejects.toMatchObject({ reason: "FILTER_INVALID", violations: [{ field }] });
  });
});
