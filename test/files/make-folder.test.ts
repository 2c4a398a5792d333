import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeFolder } from "../../src/files/make-folder.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-folder-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("makeFolder", () => {
  it("makes a folder and those that it is in, for this user alone, and leaves alone what is there", () => {
    const path = join(folder, "a", "b", "c");

    makeFolder(path);
    makeFolder(path);

    for (const made of [path, join(folder, "a")]) expect(statSync(made).mode & 0o777).toBe(0o700);
  });

  it("takes a link to a folder for one", () => {
    symlinkSync(folder, join(folder, "link"));

    makeFolder(join(folder, "link", "a"));

    expect(readdirSync(folder)).toContain("a");
  });

  it("throws where a file is in the way", () => {
    const file = join(folder, "file");
    writeFileSync(file, "");

    expect(() => makeFolder(file)).toThrow(/EEXIST/);
    expect(() => makeFolder(join(file, "a"))).toThrow(/EEXIST|ENOTDIR/);
  });

  it.runIf(process.platform === "linux")("throws at once where Node's own recursion does not end", () => {
    const script = `import("${join(import.meta.dirname, "../../src/files/make-folder.ts")}").then(({ makeFolder }) => {
      try { makeFolder("/proc/sluice/data"); } catch (error) { console.log(error.code); }
    });`;

    // In a process of its own, which the time-out can end.
    const printed = execFileSync(process.execPath, ["--input-type=module", "-e", script], { timeout: 10_000 });
    expect(printed.toString()).toBe("ENOENT\n");
  });
});
