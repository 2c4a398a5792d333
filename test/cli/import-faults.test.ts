import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { constants, gunzipSync } from "node:zlib";
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

describe("importEvents, given what it cannot import", () => {
  it("reports lines that hold no event by number and reason, and sends the others", async () => {
    const service = createFakeEventService();
    const huge = JSON.stringify({ name: "huge", properties: { a: Array(100_000).fill(1) } });
    const lines = [
      '{"id":"first","name":"a"}',
      "not json \u001b[2J",
      "",
      '{"id":"x","nam":"b"}',
      "[1]",
      '{"name":7}',
      `{"name":"${"x".repeat(2 << 20)}"}`,
      huge,
      "   ",
      '{"id":"last","name":"c"}',
    ];

    const run = await runImport({ client: service.client, input: lines.join("\r\n") });

    expect(run.exitCode).toBe(1);
    expect([...service.stored.keys()]).toEqual(["first", "last"]);
    expect(run.counts).toEqual({ accepted: 2, duplicate: 0, rejected: 0, "invalid lines": 6, unknown: 0 });
    expect(run.told).toEqual([
      expect.stringMatching(/^stdin:2: is not JSON: Unexpected token .*\\u001b/),
      'stdin:4: is not an event: key "nam" is unknown',
      expect.stringMatching(/^stdin:5: is not an event: /),
      "stdin:6: is not an event: name: expected string, got 7",
      "stdin:7: is longer than 1048576 bytes",
      "stdin:8: is not smaller than 800000 bytes",
    ]);
  });

  it("reports a line that is not UTF-8, and reads a byte order mark away", async () => {
    const service = createFakeEventService();
    const input = Buffer.concat([Buffer.from('\ufeff{"name":"a"}\n'), Buffer.from([0x22, 0xff, 0x22, 0x0a])]);

    const run = await runImport({ client: service.client, input });

    expect(run.told).toEqual(["stdin:2: is not UTF-8"]);
    expect(run.counts.accepted).toBe(1);
  });

  it("reports what the server rejects by line", async () => {
    const service = createFakeEventService({ isRejected: ({ id }) => id === "e1" || id === "e700" });

    const run = await runImport({ client: service.client, input: `\n${eventLines(1000)}` });

    expect(run.exitCode).toBe(1);
    expect(run.told).toEqual([
      "stdin:3: rejected: name is not liked (EVENT_INVALID)",
      "stdin:702: rejected: name is not liked (EVENT_INVALID)",
    ]);
    expect(run.counts).toMatchObject({ accepted: 998, rejected: 2 });
  });

  it("tells of 20 failed lines and counts the rest, unless it is to tell of all", async () => {
    const { client } = createFakeEventService({ isRejected: () => true, failuresMax: 40 });
    const input = `${"bad\n".repeat(10)}${eventLines(50)}`;

    const brief = await runImport({ client, input });
    const verbose = await runImport({ client, input, verbose: true });

    expect(brief.told).toHaveLength(21);
    expect(brief.told[20]).toMatch(/^40 more lines failed/);
    expect(verbose.told).toHaveLength(51);
    expect(verbose.told[50]).toMatch(/^10 more lines failed/);
  });

  it("refuses to read stdin twice, and files that are not there, before it sends anything", async () => {
    const service = createFakeEventService();
    const { client } = service;

    await expect(runImport({ client, repeat: 2 })).rejects.toThrow("--repeat cannot read stdin twice");
    await expect(runImport({ client, files: ["-", "-"] })).rejects.toThrow("only once");
    await expect(runImport({ client, input: eventLines(1), files: ["-", join(folder, "none")] })).rejects.toThrow(
      "none",
    );
    await expect(runImport({ client, files: [folder] })).rejects.toThrow("is a folder");
    expect(service.streamCounts).toEqual([]);
  });

  it("says that a gzip file ends early, after it has sent every whole line of it, and reads the next file", async () => {
    const service = createFakeEventService();
    const whole = readFileSync(webRequests);
    const half = whole.subarray(0, whole.length / 2);
    const file = write("cut.gz", half);
    const next = write("next.ndjson", Buffer.from('{"id":"next","name":"n"}\n'));
    const lineCount = gunzipSync(half, { finishFlush: constants.Z_SYNC_FLUSH }).toString().split("\n").length - 1;

    const run = await runImport({ client: service.client, files: [file, next] });

    expect(run.exitCode).toBe(1);
    expect(run.counts.accepted).toBe(lineCount + 1);
    expect(run.told).toEqual([`${file} cannot be read further: unexpected end of file`]);
  });

  it("keeps the lines before garbage in a gzip file, but for those close to it", async () => {
    const service = createFakeEventService();
    const file = write("garbage.gz", Buffer.concat([readFileSync(webRequests), Buffer.from("GARBAGE")]));

    const run = await runImport({ client: service.client, files: [file] });

    expect(run.exitCode).toBe(1);
    expect(run.counts.accepted).toBeGreaterThan(9000);
    expect(run.told).toEqual([`${file} cannot be read further: incorrect header check`]);
  });
});
