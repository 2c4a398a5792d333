import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createListEvents } from "../../src/domain/list-events.ts";
import { createListRejectedEvents } from "../../src/domain/list-rejected-events.ts";
import { createPageTokens } from "../../src/domain/page-token.ts";
import type { RejectedEvent } from "../../src/domain/ports.ts";
import type { Project } from "../../src/domain/project.ts";
import { noFilter } from "../support/arbitrary-filters.ts";
import { eventToAppend, newProject } from "../support/events.ts";
import { createFakeEventLog } from "../support/fake-event-log.ts";
import type { FakeRejectedOptions } from "../support/fake-rejected-events.ts";
import { createFakeRejectedEvents } from "../support/fake-rejected-events.ts";

const tokens = createPageTokens(() => Buffer.alloc(32, 1));

function rejectedEvent(id: string, overrides: Partial<RejectedEvent> = {}): RejectedEvent {
  return {
    rejectedAtMs: 1,
    entrance: "grpc",
    id,
    environments: [],
    reason: "EVENT_INVALID",
    violation: { field: "name", message: "is required" },
    payload: "{}",
    ...overrides,
  };
}

function setUp(options: FakeRejectedOptions = {}) {
  const rejectedEvents = createFakeRejectedEvents(options);
  const project = newProject();
  const listRejected = createListRejectedEvents(rejectedEvents, tokens);
  const keep = (count: number, overrides: Partial<RejectedEvent> = {}, omittedCount = 0) => {
    const events = Array.from({ length: count }, (_, i) => rejectedEvent(`${i}`, overrides));
    rejectedEvents.keep(project, events, omittedCount);
  };
  const list = ({ pageSize = 0, pageToken = "" } = {}, environments: readonly string[] = [], of: Project = project) =>
    listRejected({ project: of, environments }, { pageSize, pageToken });
  return { rejectedEvents, project, keep, list };
}

describe("createListRejectedEvents", () => {
  it("returns, over all pages, every rejected event that its reader may see, newest first", async () => {
    const environment = fc.constantFrom("production", "staging");
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uniqueArray(environment), { maxLength: 50 }),
        fc.subarray(["production", "staging", "unheard of"]),
        fc.integer({ min: 0, max: 9 }),
        fc.integer({ min: 1, max: 60 }),
        async (kept, environments, pageSize, readMax) => {
          const { rejectedEvents, project, list } = setUp({ readMax });
          const all = kept.map((one, i) => rejectedEvent(`${i}`, { environments: one }));
          rejectedEvents.keep(project, all, 0);

          const pages: RejectedEvent[][] = [];
          for (let pageToken: string | undefined = ""; pageToken !== undefined; ) {
            const page = await list({ pageSize, pageToken }, environments);
            pages.push([...page.events]);
            pageToken = page.nextPageToken === "" ? undefined : page.nextPageToken;
          }

          const isSeen = (event: RejectedEvent) =>
            environments.length === 0 ||
            (event.environments.length > 0 && event.environments.every((one) => environments.includes(one)));
          expect(pages.flat()).toEqual(all.filter(isSeen).reverse());
          expect(pages.slice(0, -1).every((page) => page.length === (pageSize || 20))).toBe(true);
        },
      ),
    );
  });

  it.each([
    ["20 events when the page size is 0", 0, 20],
    ["as many as asked for", 7, 7],
    ["1,000 at most", 5000, 1000],
  ])("puts on a page %s", async (_, pageSize, count) => {
    const { keep, list } = setUp();
    keep(1001);

    expect((await list({ pageSize })).events).toHaveLength(count);
  });

  it("refuses a negative page size", async () => {
    await expect(setUp().list({ pageSize: -1 })).rejects.toMatchObject({
      reason: "FILTER_INVALID",
      violations: [{ field: "page_size" }],
    });
  });

  it("has no token after a last page that is full, and none where nothing was rejected", async () => {
    const { keep, list } = setUp();
    expect(await list()).toEqual({ events: [], nextPageToken: "", omittedCount: 0 });
    keep(2);

    expect((await list({ pageSize: 2 })).nextPageToken).toBe("");
    expect((await list({ pageSize: 1 })).nextPageToken).not.toBe("");
  });

  it("says how many were only counted, on every page", async () => {
    const { keep, list } = setUp();
    keep(2, {}, 7);
    keep(0, {}, 5);
    const first = await list({ pageSize: 1 });

    expect(first.omittedCount).toBe(12);
    expect((await list({ pageToken: first.nextPageToken })).omittedCount).toBe(12);
  });

  it("ends a page before 3 MiB, and loses nothing", async () => {
    const { keep, list } = setUp();
    keep(1000, { payload: "🛝".repeat(1000) });
    const first = await list({ pageSize: 1000 });
    const second = await list({ pageSize: 1000, pageToken: first.nextPageToken });

    const bytes = first.events.reduce((sum, { payload }) => sum + Buffer.byteLength(payload), 0);
    expect(bytes).toBeLessThanOrEqual(3 << 20);
    expect(first.events.length).toBeGreaterThan(400);
    expect([...first.events, ...second.events].length).toBeLessThanOrEqual(1000);
    expect(second.events[0]?.id).toBe(`${999 - first.events.length}`);
  });

  it("finds what is far behind in one page, and comes to an end where nothing is", async () => {
    const { keep, list } = setUp();
    keep(1, { environments: ["staging"] });
    keep(9999, { environments: ["production"] });

    expect((await list({}, ["staging"])).events).toHaveLength(1);
    expect(await list({}, ["unheard of"])).toMatchObject({ events: [] });
  });

  it("refuses page tokens of another project, of another key's environments, and of ListEvents", async () => {
    const { project, keep, list } = setUp();
    keep(2, { environments: ["production"] });
    const { nextPageToken: pageToken } = await list({ pageSize: 1 }, ["production"]);
    const log = createFakeEventLog();
    await log.append(project, "grpc", [eventToAppend("a"), eventToAppend("b")]);
    const listEvents = createListEvents(log, tokens);
    const query = { filter: noFilter, order: "newest-first", pageSize: 1, pageToken: "" } as const;
    const everyone = { project, environments: [] };
    const ofEvents = (await listEvents(everyone, query)).nextPageToken;

    const refused = { reason: "PAGE_TOKEN_INVALID" };
    await expect(list({ pageToken }, ["production"], newProject())).rejects.toMatchObject(refused);
    await expect(list({ pageToken }, ["staging"])).rejects.toMatchObject(refused);
    await expect(list({ pageToken })).rejects.toMatchObject(refused);
    await expect(list({ pageToken: ofEvents })).rejects.toMatchObject(refused);
    await expect(listEvents(everyone, { ...query, pageToken })).rejects.toMatchObject(refused);
    expect((await list({ pageToken }, ["production"])).events).toHaveLength(1);
  });
});
