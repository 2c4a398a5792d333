import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createFilePoll, type FilePoll } from "../../src/files/poll-files.ts";

const everyMs = 10;
const onChange = vi.fn();
let folder = "";
let paths: string[] = [];
let poll: FilePoll;

beforeEach(() => {
  vi.useFakeTimers();
  folder = mkdtempSync(join(tmpdir(), "sluice-poll-"));
  paths = ["a", "b"].map((name) => join(folder, name));
  for (const path of paths) writeFileSync(path, "1");
  onChange.mockClear();
  poll = createFilePoll(paths);
});
afterEach(() => {
  poll.stop();
  vi.useRealTimers();
  rmSync(folder, { recursive: true });
});

function write(name: string, content: string): void {
  writeFileSync(join(folder, name), content);
}

/** How often it called back within so many looks. */
function changesIn(lookCount: number): number {
  onChange.mockClear();
  vi.advanceTimersByTime(lookCount * everyMs);
  return onChange.mock.calls.length;
}

describe("createFilePoll", () => {
  it("calls back once for each change, when all files have stayed the same for a look", () => {
    poll.start(onChange, everyMs);
    expect(changesIn(5)).toBe(0);

    write("a", "22");
    expect(changesIn(1)).toBe(0);
    write("b", "22");
    expect(changesIn(1)).toBe(0);
    expect(changesIn(1)).toBe(1);
    expect(changesIn(5)).toBe(0);
  });

  it("sees what was written before it started, and not what was read since", () => {
    write("a", "22");
    poll.start(onChange, everyMs);
    expect(changesIn(2)).toBe(1);

    write("a", "333");
    poll.markRead();
    expect(changesIn(5)).toBe(0);
  });

  it("is patient with a file that is gone for a moment, and tells once of one that is gone for good", () => {
    poll.start(onChange, everyMs);

    rmSync(join(folder, "a"));
    expect(changesIn(2)).toBe(0);
    expect(changesIn(10)).toBe(1);

    write("a", "1");
    expect(changesIn(2)).toBe(1);
  });

  it("tells of a file that cannot be had for another reason than before", () => {
    rmSync(join(folder, "a"));
    poll = createFilePoll([join(folder, "a", "x")]);
    poll.start(onChange, everyMs);
    expect(changesIn(5)).toBe(0);

    // ENOENT becomes ENOTDIR.
    write("a", "");
    expect(changesIn(5)).toBe(1);
  });

  it("looks no more once it was stopped", () => {
    poll.start(onChange, everyMs);
    poll.stop();
    write("a", "22");

    expect(changesIn(5)).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});
