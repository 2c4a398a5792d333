import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { createFakeEventService } from "./fake-event-service.ts";
import { eventLines, runImport } from "./import-harness.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-import-"));
afterAll(() => rmSync(folder, { recursive: true }));

const webRequests = join(import.meta.dirname, "../fixtures/web-requests.ndjson.gz");

function write(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

describe("importEvents", () => {
  it("sends every event of a real file once, and finds them all to be duplicates the second time", async () => {
    const service = createFakeEventService();

    const first = await runImport({ client: service.client, files: [webRequests] });
    const second = await runImport({ client: service.client, files: [webRequests] });

    expect(first).toMatchObject({ exitCode: 0, told: [] });
    expect(first.counts).toEqual({ accepted: 9999, duplicate: 0, rejected: 0, "invalid lines": 0, unknown: 0 });
    expect(second.exitCode).toBe(0);
    expect(second.counts).toEqual({ accepted: 0, duplicate: 9999, rejected: 0, "invalid lines": 0, unknown: 0 });
    expect([...service.stored.keys()].slice(0, 2)).toEqual(["web-00001", "web-00002"]);
    expect(service.stored.size).toBe(9999);
  });

  it("reads gzip by its first bytes, whatever the file is called", async () => {
    const service = createFakeEventService();
    const plain = write("plain.gz", eventLines(3, "plain"));
    const packed = write("packed.ndjson", gzipSync(eventLines(3, "packed")));

    const run = await runImport({ client: service.client, files: [plain, packed] });

    expect(run.exitCode).toBe(0);
    expect([...service.stored.keys()]).toEqual(["plain0", "plain1", "plain2", "packed0", "packed1", "packed2"]);
  });

  it("reads gzip from stdin, in chunks of one byte", async () => {
    const service = createFakeEventService();
    async function* bytes() {
      for (const byte of gzipSync(eventLines(3))) yield Buffer.from([byte]);
    }

    const run = await runImport({ client: service.client, input: bytes() });

    expect(run.counts.accepted).toBe(3);
  });

  it("ends a stream every 10,000 events, with at most 500 a message", async () => {
    const service = createFakeEventService();

    await runImport({ client: service.client, input: eventLines(25_000) });

    expect(service.streamCounts).toEqual([10_000, 10_000, 5000]);
    expect(Math.max(...service.messageCounts)).toBe(500);
  });

  it("ends a stream at 16 MiB, and a message at 1 MiB", async () => {
    const service = createFakeEventService();
    const text = "x".repeat(15_000);
    const properties = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`p${i}`, text]));
    const input = Array.from({ length: 100 }, (_, i) => JSON.stringify({ id: `${i}`, name: "big", properties }));

    const run = await runImport({ client: service.client, input: input.join("\n") });

    expect(run.counts.accepted).toBe(100);
    expect(Math.max(...service.messageCounts)).toBe(3);
    expect(Math.max(...service.streamCounts)).toBeLessThanOrEqual((16 << 20) / 300_000);
  });

  it("reads the input several times, each event with a new id", async () => {
    const service = createFakeEventService();
    const file = write("repeated.ndjson", eventLines(10));

    const run = await runImport({ client: service.client, files: [file], repeat: 3 });

    expect(run.counts.accepted).toBe(30);
    expect(new Set(service.stored.keys()).size).toBe(30);
    expect(service.stored.has("e0")).toBe(false);
  });

  it("ends a stream while input is slow in coming, so that what was sent gets its answer", async () => {
    const service = createFakeEventService();
    async function* slow() {
      yield Buffer.from(eventLines(1, "early"));
      while (!service.stored.has("early0")) await new Promise(setImmediate);
      yield Buffer.from(eventLines(1, "late"));
    }

    const run = await runImport({ client: service.client, input: slow(), isInputSlow: true });

    expect(run.counts.accepted).toBe(2);
    expect(service.streamCounts).toEqual([1, 1]);
  });

  it("stops when it is told to, after what was sent has its answer", async () => {
    const stop = new AbortController();
    const service = createFakeEventService({ onMessage: () => stop.abort() });
    async function* endless() {
      for (;;) {
        yield Buffer.from(eventLines(10));
        await new Promise(setImmediate);
      }
    }

    const run = await runImport({ client: service.client, input: endless(), stop: stop.signal });

    expect(run.exitCode).toBe(130);
    expect(run.counts.unknown).toBe(0);
    expect(run.counts.accepted).toBe(service.stored.size);
    expect(run.told.slice(0, 2)).toEqual([
      "waiting for the answer of what was sent; Ctrl-C again stops at once",
      "stopped",
    ]);
  });
});
