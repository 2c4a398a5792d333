import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ListEvents, ListQuery } from "../../src/domain/list-events.ts";
import { createListEvents } from "../../src/domain/list-events.ts";
import { createPageTokens } from "../../src/domain/page-token.ts";
import type { StoredEvent } from "../../src/domain/ports.ts";
import type { Caller } from "../../src/domain/project.ts";
import type { EventInit } from "../support/events.ts";
import { callerOf, eventToAppend, newProject } from "../support/events.ts";
import type { FakeLogOptions } from "../support/fake-event-log.ts";
import { createFakeEventLog } from "../support/fake-event-log.ts";

const secret = Buffer.alloc(32, 1);
const everything: ListQuery = { names: [], includeTest: false, order: "newest-first", pageSize: 0, pageToken: "" };
const names = ["click", "view", "deploy"];
const environmentNames = ["production", "staging"];

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
  const list = (query: Partial<ListQuery> = {}, environments: readonly string[] = []) =>
    listEvents({ project, environments }, { ...everything, ...query });
  return { log, project, caller: callerOf(project), listEvents, store, list };
}

/** All pages one after the other; `meanwhile` runs before each but the first. */
async function listPages(
  listEvents: ListEvents,
  caller: Pick<Caller, "project" | "environments">,
  query: ListQuery,
  meanwhile: () => Promise<unknown> = async () => {},
): Promise<StoredEvent[][]> {
  const pages: StoredEvent[][] = [];
  for (let pageToken = ""; ; ) {
    const page = await listEvents(caller, { ...query, pageToken });
    pages.push([...page.events]);
    if (page.nextPageToken === "") return pages;
    pageToken = page.nextPageToken;
    await meanwhile();
  }
}

/** What a query should return of all that is stored, by the plainest means. */
function answerOf(
  stored: readonly StoredEvent[],
  inits: readonly EventInit[],
  environments: readonly string[],
  query: ListQuery,
): StoredEvent[] {
  const matching = stored.filter((event, i) => {
    const { name = "", environment = "" } = inits[i] ?? {};
    return (
      (query.includeTest || !event.isTest) &&
      (query.names.length === 0 || query.names.includes(name)) &&
      (environments.length === 0 || environments.includes(environment))
    );
  });
  return query.order === "oldest-first" ? matching : matching.toReversed();
}

const arbitraryInit: fc.Arbitrary<EventInit> = fc.record({
  name: fc.constantFrom(...names),
  environment: fc.constantFrom("", ...environmentNames),
  test: fc.boolean(),
});
const arbitraryQuery: fc.Arbitrary<ListQuery> = fc.record({
  names: fc.subarray([...names, "unheard of"]),
  includeTest: fc.boolean(),
  order: fc.constantFrom("newest-first", "oldest-first"),
  pageSize: fc.integer({ min: 0, max: 12 }),
  pageToken: fc.constant(""),
});

describe("createListEvents", () => {
  it("returns, over all pages, what the query asks for: each event once, in order, while others are written", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(arbitraryInit, { maxLength: 60 }),
        fc.array(fc.array(arbitraryInit, { maxLength: 4 }), { maxLength: 6 }),
        arbitraryQuery,
        fc.subarray([...environmentNames, "unheard of"]),
        fc.integer({ min: 1, max: 30 }),
        async (inits, writes, query, environments, readMax) => {
          const { log, project, listEvents, store } = setUp({ readMax });
          const remaining = [...writes];
          const all = [...inits];
          const write = async () => {
            const batch = remaining.shift() ?? [];
            all.push(...batch);
            await store(batch);
          };
          await store(inits);
          const atStart = log.stored(project).length;

          const pages = await listPages(listEvents, { project, environments }, query, write);

          const stored = log.stored(project);
          const there = query.order === "oldest-first" ? stored : stored.slice(0, atStart);
          const expected = answerOf(there, all, environments, query);
          // A page follows each write: oldest first has to return what was written, too.
          expect(pages.flat()).toEqual(expected);
          const pageSize = query.pageSize || 20;
          expect(pages.slice(0, -1).every((page) => page.length === pageSize)).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
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

      const pages = await listPages(
        listEvents,
        { project, environments },
        { ...everything, ...query, pageSize: 1000 },
        note,
      );

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

  it.each<[string, Partial<ListQuery>]>([
    ["another order", { order: "oldest-first" }],
    ["test events too", { includeTest: true }],
    ["other names", { names: ["click"] }],
    ["fewer names", { names: [] }],
  ])("refuses a page token with %s", async (_, other) => {
    const { store, list } = setUp();
    await store([{}, {}]);
    const query = { pageSize: 1, names: other.names?.length === 0 ? ["click"] : [] };
    const { nextPageToken: pageToken } = await list(query);

    await expect(list({ ...query, ...other, pageToken })).rejects.toMatchObject({ reason: "PAGE_TOKEN_INVALID" });
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

  it("asks the log for much at a time when a key sees little of it", async () => {
    const { log, store, list } = setUp();
    await store(Array.from({ length: 5000 }, () => ({})));

    expect(await list({ pageSize: 1 }, ["production"])).toEqual({ events: [], nextPageToken: "" });
    expect(log.reads.length).toBeLessThan(10);
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

  it("takes a page token with the same names in another order, or twice", async () => {
    const { store, list } = setUp();
    await store([{ name: "click" }, { name: "view" }]);
    const { nextPageToken: pageToken } = await list({ pageSize: 1, names: ["click", "view"] });

    expect((await list({ names: ["view", "click", "view"], pageToken })).events).toHaveLength(1);
  });

  it.each<[string, Partial<ListQuery>, string]>([
    ["a negative page size", { pageSize: -1 }, "page_size"],
    ["101 names", { names: Array(101).fill("a") }, "filter.names"],
    ["an empty name", { names: ["a", ""] }, "filter.names[1]"],
    ["a name of 257 characters", { names: ["🛝".repeat(257)] }, "filter.names[0]"],
  ])("refuses %s", async (_, query, field) => {
    await expect(setUp().list(query)).rejects.toMatchObject({ reason: "FILTER_INVALID", violations: [{ field }] });
  });

  it("takes 100 names of 256 characters", async () => {
    expect(await setUp().list({ names: Array(100).fill("🛝".repeat(256)) })).toMatchObject({ events: [] });
  });
});
