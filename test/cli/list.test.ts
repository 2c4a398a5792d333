import { PassThrough, Writable } from "node:stream";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { create, fromJson } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import { EventFilterSchema, Order } from "../../gen/sluice/v1/event_service_pb.ts";
import { type ListOptions, listEvents } from "../../src/cli/list.ts";
import { createPageWriter, OutputClosed, type PageWriter } from "../../src/cli/page-writer.ts";
import { storageUnavailable } from "./fake-event-service.ts";
import {
  closedOutput,
  createReadHarness,
  someEvent as event,
  linesOf,
  type ReadHarnessOptions,
} from "./read-harness.ts";

const someEvents = Array.from({ length: 250 }, (_, i) => event(`e${i}`, { name: i % 2 ? "odd" : "even" }));

interface RunOptions extends Partial<Omit<ListOptions, "filter">> {
  readonly filter?: MessageInitShape<typeof EventFilterSchema>;
  readonly stop?: AbortController;
}

async function runList(
  { filter = {}, stop = new AbortController(), ...options }: RunOptions,
  harnessOptions: ReadHarnessOptions = {},
) {
  const harness = createReadHarness({ events: someEvents, ...harnessOptions });
  const deps = { ...harness.deps, stop: stop.signal };
  const exitCode = await listEvents({ filter: create(EventFilterSchema, filter), ...options }, deps);
  return { exitCode, lines: linesOf(harness.pages), ...harness };
}

function idsOf(lines: readonly string[]): string[] {
  return lines.map((line) => fromJson(EventSchema, JSON.parse(line)).id);
}

describe("listEvents", () => {
  it("lists every event newest first, page by page, and says how many", async () => {
    const run = await runList({ json: true, pageSize: 100 });

    expect(idsOf(run.lines)).toEqual(someEvents.map(({ id }) => id).reverse());
    expect(run).toMatchObject({ exitCode: 0, told: ["250 events"] });
    expect(run.pages).toHaveLength(3);
  });

  it("lists oldest first, by name, and no more than asked for", async () => {
    const run = await runList({ json: true, oldestFirst: true, filter: { names: ["odd"] }, limit: 3, pageSize: 2 });

    expect(idsOf(run.lines)).toEqual(["e1", "e3", "e5"]);
  });

  it("lists test events only when asked to", async () => {
    const events = [event("real"), event("trial", { test: true })];

    expect(idsOf((await runList({ json: true }, { events })).lines)).toEqual(["real"]);
    expect(idsOf((await runList({ json: true, filter: { includeTest: true } }, { events })).lines)).toEqual([
      "trial",
      "real",
    ]);
  });

  it("writes as JSON what reads back as the same events, without a raw control character", async () => {
    const text = "\u0000\u001b[2J\u007f\u009b31m\u202eévil \u2028😀";
    const events = [event("id", { value: 1.5, properties: { [text]: text }, identities: { user: text } })];

    const { lines } = await runList({ json: true }, { events });

    expect(lines).toHaveLength(1);
    expect(lines[0]).not.toMatch(/[\p{Cc}\u202e\u2028]/u);
    expect(fromJson(EventSchema, JSON.parse(lines[0] ?? ""))).toEqual(events[0]);
  });

  it("writes a table whose header comes once", async () => {
    const { lines } = await runList({ pageSize: 1 }, { events: [event("a"), event("b")] });

    expect(lines.map((line) => line.split(" ")[0])).toEqual([
      "RECEIVED",
      "2026-01-02T03:04:05Z",
      "2026-01-02T03:04:05Z",
    ]);
  });

  it("asks for every page with the same filter and order", async () => {
    const filter = create(EventFilterSchema, { identity: { kind: "user", id: "ada" }, valueMin: 3 });

    const { service } = await runList({ filter, oldestFirst: true, pageSize: 100 });

    expect(service.listRequests).toHaveLength(3);
    for (const request of service.listRequests) expect(request).toMatchObject({ filter, order: Order.OLDEST_FIRST });
  });

  it("goes on after an empty page, and says so when that takes long", async () => {
    const harness = createReadHarness({
      methods: {
        listEvents({ pageToken }) {
          const page = Number(pageToken);
          harness.time.nowMs += 1500;
          const events = page === 3 ? [event("found")] : [];
          return { events, nextPageToken: page === 5 ? "" : `${page + 1}` };
        },
      },
    });

    const deps = { ...harness.deps, stop: new AbortController().signal };
    const exitCode = await listEvents({ filter: create(EventFilterSchema), json: true }, deps);

    expect(exitCode).toBe(0);
    expect(idsOf(linesOf(harness.pages))).toEqual(["found"]);
    expect(harness.shown).toEqual([
      "no event for 3 s, still looking",
      "no event for 4 s, still looking",
      "",
      "no event for 3 s, still looking",
      "",
    ]);
    expect(harness.told).toEqual(["1 event"]);
  });

  it("writes no header when there are no events", async () => {
    expect(await runList({}, { events: [] })).toMatchObject({ exitCode: 0, pages: [], told: ["0 events"] });
  });

  it("asks again for a page that failed for now", async () => {
    let calls = 0;
    const failure = () => ([2, 3].includes(++calls) ? storageUnavailable() : undefined);

    const run = await runList({ json: true, pageSize: 100 }, { failure });

    expect(run).toMatchObject({ exitCode: 0, told: ["250 events"], delaysMs: [1000, 1000] });
  });

  it("says why it stops when a call fails for good", async () => {
    const failure = () => new ConnectError("this key opens no project", Code.Unauthenticated);

    const run = await runList({}, { failure });

    expect(run.exitCode).toBe(1);
    expect(run.told[0]).toMatch(/refuses the key: .*set SLUICE_KEY$/);
  });

  it("ends at once when nobody is there, but not when somebody was", async () => {
    let calls = 0;
    const never = await runList({}, { isAway: () => true });
    const later = await runList({ json: true, pageSize: 100 }, { isAway: () => ++calls > 1 });

    expect(never).toMatchObject({ exitCode: 1, delaysMs: [], told: [expect.stringContaining("cannot reach")] });
    expect(later).toMatchObject({ exitCode: 1, told: [expect.stringMatching(/cannot reach .*; listed 100 events$/)] });
    expect(later.delaysMs).toEqual([250, 500, 1000, 2000]);
  });

  it("ends when the user stops it, says how many it listed, and leaves no status line", async () => {
    const stop = new AbortController();
    const harness = createReadHarness({
      methods: {
        async listEvents({ pageToken }, context) {
          harness.time.nowMs += 1500;
          if (pageToken === "") return { events: [event("found")], nextPageToken: "1" };
          if (pageToken !== "3") return { nextPageToken: `${Number(pageToken) + 1}` };
          stop.abort();
          await new Promise((resolve) => context.signal.addEventListener("abort", resolve));
          return {};
        },
      },
    });

    const deps = { ...harness.deps, stop: stop.signal };
    const exitCode = await listEvents({ filter: create(EventFilterSchema) }, deps);

    expect({ exitCode, told: harness.told }).toEqual({ exitCode: 130, told: ["stopped; listed 1 event"] });
    expect(harness.shown).toEqual(["no event for 3 s, still looking", ""]);
  });

  it("ends when the user stops it though the output is stuck, and counts what was written", async () => {
    const stop = new AbortController();
    let pages = 0;
    const output: PageWriter = {
      columns: undefined,
      async write() {
        if (++pages < 2) return;
        stop.abort();
        await new Promise(() => undefined);
      },
    };

    const run = await runList({ stop, pageSize: 100 }, { output });

    expect(run).toMatchObject({ exitCode: 130, told: ["stopped; listed 100 events"] });
  });

  it("shows a property first that it filters by", async () => {
    const events = [event("a", { properties: { path: "/a/long/path", status: 404 } })];
    const filter = { properties: { status: { kind: { case: "stringValue", value: "404" } } } } as const;

    const { lines } = await runList({ filter }, { events, columns: 80 });

    expect(lines[1]).toContain("status=404");
  });

  it("stops quietly when nobody reads on", async () => {
    expect(await runList({ json: true }, { output: closedOutput })).toMatchObject({ exitCode: 0, told: [] });
  });
});

describe("createPageWriter", () => {
  it("resolves only when the reader has made room", async () => {
    const taken: (() => void)[] = [];
    const writer = createPageWriter(new Writable({ write: (_chunk, _encoding, done) => void taken.push(done) }));
    let isWritten = false;

    const written = writer.write("text").then(() => {
      isWritten = true;
    });
    await new Promise(setImmediate);
    expect(isWritten).toBe(false);
    taken[0]?.();
    await written;

    expect(isWritten).toBe(true);
  });

  it.each([
    [80, 80],
    [0, undefined],
    [undefined, undefined],
  ])("takes a terminal of %s columns for one of %s", (columns, expected) => {
    const stream = Object.assign(new PassThrough(), columns === undefined ? {} : { columns });

    expect(createPageWriter(stream).columns).toBe(expected);
  });

  it("rejects with OutputClosed when the reader has gone", async () => {
    const stream = new PassThrough();
    const writer = createPageWriter(stream);
    stream.destroy(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));

    await expect(writer.write("text")).rejects.toThrow(OutputClosed);
  });
});
