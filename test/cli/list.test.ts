import { PassThrough, Writable } from "node:stream";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { create, fromJson } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import { type ListDeps, type ListOptions, listEvents } from "../../src/cli/list.ts";
import { createPageWriter, OutputClosed, type PageWriter } from "../../src/cli/page-writer.ts";
import { createFakeEventService, type FakeEventServiceOptions, storageUnavailable } from "./fake-event-service.ts";

function event(id: string, more: MessageInitShape<typeof EventSchema> = {}) {
  return create(EventSchema, { id, name: "click", time: timestampFromDate(new Date("2026-01-02T03:04:05Z")), ...more });
}

const someEvents = Array.from({ length: 250 }, (_, i) => event(`e${i}`, { name: i % 2 ? "odd" : "even" }));

async function runList(
  options: ListOptions,
  { columns, output, ...service }: FakeEventServiceOptions & { columns?: number; output?: PageWriter } = {},
) {
  const pages: string[] = [];
  const told: string[] = [];
  const delaysMs: number[] = [];
  const deps: ListDeps = {
    client: createFakeEventService({ events: someEvents, ...service }).client,
    url: "http://sluice.test",
    clock: { nowMs: () => 0, wait: async (ms) => void delaysMs.push(ms) },
    random: () => 0.5,
    output: output ?? { columns, write: async (text) => void pages.push(text) },
    tell: (line) => told.push(line),
  };
  const exitCode = await listEvents(options, deps);
  return { exitCode, pages, lines: pages.join("").split("\n").slice(0, -1), told, delaysMs };
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
    const run = await runList({ json: true, oldestFirst: true, names: ["odd"], limit: 3, pageSize: 2 });

    expect(idsOf(run.lines)).toEqual(["e1", "e3", "e5"]);
  });

  it("lists test events only when asked to", async () => {
    const events = [event("real"), event("trial", { test: true })];

    expect(idsOf((await runList({ json: true }, { events })).lines)).toEqual(["real"]);
    expect(idsOf((await runList({ json: true, includeTest: true }, { events })).lines)).toEqual(["trial", "real"]);
  });

  it("writes as JSON what reads back as the same events, without a raw control character", async () => {
    const text = "\u0000\u001b[2J\u007f\u009b31m\u202eévil \u2028😀";
    const events = [event("id", { value: 1.5, properties: { [text]: text }, identities: { user: text } })];

    const { lines } = await runList({ json: true }, { events });

    expect(lines).toHaveLength(1);
    expect(lines[0]).not.toMatch(/[\p{Cc}\u202e\u2028]/u);
    expect(fromJson(EventSchema, JSON.parse(lines[0] ?? ""))).toEqual(events[0]);
  });

  it("writes a table whose header comes once, and whose cells are whole off a terminal", async () => {
    const events = [event("short"), event("x".repeat(100), { identities: { user: "ada", visitor: "v1" }, value: 42 })];

    const { lines } = await runList({ pageSize: 1 }, { events });

    expect(lines[0]).toMatch(/^TIME +NAME +IDENTITIES +VALUE +ID$/);
    expect(lines[1]).toMatch(/^2026-01-02T03:04:05Z {2}click +user=ada visitor=v1 {2}42 +x{100}$/);
    expect(lines[2]).toMatch(/^2026-01-02T03:04:05Z {2}click +short$/);
    expect(lines).toHaveLength(3);
  });

  it("fits the table into the terminal, control characters written out", async () => {
    const identities = { user: "\u001b]0;owned\u0007".repeat(20) };
    const events = [event("i".repeat(128), { identities, name: "名前".repeat(60) }), event("b", { value: -0.25 })];

    const { lines } = await runList({}, { events, columns: 90 });

    expect(lines.join("")).not.toMatch(/\p{Cc}/u);
    expect(lines[2]).toContain("…");
    // A wide character takes two columns.
    for (const line of lines) expect(line.length + (line.match(/[名前]/g) ?? []).length).toBeLessThanOrEqual(90);
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

  it("stops quietly when nobody reads on", async () => {
    const output: PageWriter = { columns: undefined, write: () => Promise.reject(new OutputClosed()) };

    expect(await runList({ json: true }, { output })).toMatchObject({ exitCode: 0, told: [] });
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

  it("rejects with OutputClosed when the reader has gone", async () => {
    const stream = new PassThrough();
    const writer = createPageWriter(stream);
    stream.destroy(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));

    await expect(writer.write("text")).rejects.toThrow(OutputClosed);
  });
});
