import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SluiceError } from "../../src/domain/errors.ts";
import { everyEvent } from "../../src/domain/event-filter.ts";
import type { EventPage, ListQuery } from "../../src/domain/list-events.ts";
import type { StoredEvent } from "../../src/domain/ports.ts";
import type { Listing } from "../../src/http/dialect.ts";
import { listForDialect } from "../../src/http/list-for-dialect.ts";
import { callerOf, encodeEvent, newProject } from "../support/events.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => void vi.useRealTimers());

const caller = callerOf(newProject());
const { environments: _, ...everything } = everyEvent;

function listing(pageSize: number, after?: string): Listing {
  const query = { filter: { ...everything, environment: "" }, order: "newest-first", pageSize } as const;
  return { query, after, answer: () => ({ status: 200 }) };
}

function stored(id: string, text = ""): StoredEvent {
  return {
    position: { epoch: "epochepoch12", ms: 7, seq: 0 },
    bytes: encodeEvent({ id, name: "n", properties: { text } }),
    entrance: "grpc",
    assignedId: undefined,
    isTimeAbsent: false,
    isTest: false,
  };
}

/** Pages that a list gives one after the other, and what it was asked for. */
function setUp(pages: readonly (EventPage | SluiceError)[], found: StoredEvent | SluiceError = stored("x")) {
  const asked: ListQuery[] = [];
  const services = {
    listEvents: async (_caller: unknown, query: ListQuery) => {
      const page = pages[asked.push(query) - 1];
      if (page === undefined || page instanceof SluiceError) throw page ?? new Error("there are no more pages");
      return page;
    },
    getEvent: async () => {
      if (found instanceof SluiceError) throw found;
      return found;
    },
  };
  return { services, asked };
}

const invalidToken = new SluiceError("PAGE_TOKEN_INVALID", "no token");

describe("listForDialect", () => {
  it("reads on until a page is full, for what it lacks", async () => {
    const { services, asked } = setUp([
      { events: [stored("a")], nextPageToken: "t1" },
      { events: [], nextPageToken: "t2" },
      { events: [stored("b"), stored("c")], nextPageToken: "t3" },
    ]);
    const page = await listForDialect(services, caller, listing(3));

    expect(page).toMatchObject({ events: [{ id: "a", receivedMs: 7 }, { id: "b" }, { id: "c" }], next: "t3" });
    expect(asked.map(({ pageSize, pageToken }) => [pageSize, pageToken])).toEqual([
      [3, ""],
      [2, "t1"],
      [2, "t2"],
    ]);
  });

  it("ends with the last page, however few events it has", async () => {
    const { services } = setUp([{ events: [stored("a")], nextPageToken: "" }]);

    expect(await listForDialect(services, caller, listing(3))).toMatchObject({
      events: [{ id: "a" }],
      next: undefined,
    });
  });

  it("hands on what it has after two seconds of search", async () => {
    const { services, asked } = setUp([
      { events: [stored("a")], nextPageToken: "t1" },
      { events: [], nextPageToken: "t2" },
    ]);
    const { listEvents } = services;
    services.listEvents = (one, query) => {
      vi.advanceTimersByTime(1001);
      return listEvents(one, query);
    };

    expect(await listForDialect(services, caller, listing(3))).toMatchObject({ events: [{ id: "a" }], next: "t2" });
    expect(asked).toHaveLength(2);
  });

  it("hands on what it has when that is large", async () => {
    const large = { events: [stored("a", "x".repeat(2 << 20))], nextPageToken: "t" };
    const { services, asked } = setUp([large, large, large]);

    expect(await listForDialect(services, caller, listing(100))).toMatchObject({ events: [{}, {}], next: "t" });
    expect(asked).toHaveLength(2);
  });

  it("goes on behind an event when it is given its id", async () => {
    const event = stored("x");
    const { services, asked } = setUp([invalidToken, { events: [], nextPageToken: "" }], event);
    await listForDialect(services, caller, listing(3, "x"));

    expect(asked).toMatchObject([{ pageToken: "x" }, { pageToken: "", after: event.position }]);
  });

  it.each([
    ["EVENT_NOT_FOUND", "PAGE_TOKEN_INVALID"],
    ["FILTER_INVALID", "PAGE_TOKEN_INVALID"],
    ["STORAGE_UNAVAILABLE", "STORAGE_UNAVAILABLE"],
    ["CURSOR_EXPIRED", "CURSOR_EXPIRED"],
  ] as const)("fails for an id that storage answers with %s as %s", async (found, reason) => {
    const { services } = setUp([invalidToken], new SluiceError(found, ""));

    await expect(listForDialect(services, caller, listing(3, "x"))).rejects.toMatchObject({ reason });
  });

  it("fails as the list does", async () => {
    const { services } = setUp([new SluiceError("CURSOR_EXPIRED", "")]);

    await expect(listForDialect(services, caller, listing(3, "t"))).rejects.toMatchObject({ reason: "CURSOR_EXPIRED" });
  });
});
