import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readDevKey, resolveDevKey, saveDevKey } from "../../src/config/dev-key.ts";
import { StartError } from "../../src/domain/start-error.ts";

let dataDir = "";
let path = "";
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "sluice-key-"));
  path = join(dataDir, "dev-key");
});
afterEach(() => rmSync(dataDir, { recursive: true }));

const given = "0123456789abcdef";

describe("resolveDevKey", () => {
  it("prefers the key given, then the one kept, then makes one", () => {
    const made = resolveDevKey(dataDir, undefined);
    saveDevKey(dataDir, made.key);

    expect(made).toEqual({ key: expect.stringMatching(/^dev_[\w-]{32}$/), isNew: true });
    expect(resolveDevKey(dataDir, undefined)).toEqual({ key: made.key, isNew: false });
    expect(resolveDevKey(dataDir, given)).toEqual({ key: given, isNew: false });
  });

  it("makes another one each time, and keeps none", () => {
    expect(resolveDevKey(dataDir, undefined).key).not.toBe(resolveDevKey(dataDir, undefined).key);
    expect(readdirSync(dataDir)).toEqual([]);
  });

  it.each([
    ["short", "a"],
    ["empty", ""],
    ["with a space", "0123456789 abcdef"],
    ["long", "x".repeat(257)],
  ])("refuses a kept key that is %s", (_, content) => {
    writeFileSync(path, content);

    expect(() => resolveDevKey(dataDir, undefined)).toThrow(StartError);
    expect(() => resolveDevKey(dataDir, undefined)).toThrow(/does not hold a development key.*remove it/);
  });

  it("takes a kept key with or without a line end, and says when there is no reading it", () => {
    writeFileSync(path, `${given}\r\n`);
    expect(readDevKey(dataDir)).toBe(given);

    rmSync(path);
    mkdirSync(path);
    expect(() => readDevKey(dataDir)).toThrow(/cannot be read \(EISDIR\)/);
  });
});

describe("saveDevKey", () => {
  it("makes the folder, and a file for this user alone", () => {
    const folder = join(dataDir, "a", "b");

    saveDevKey(folder, given);

    expect(readDevKey(folder)).toBe(given);
    expect(statSync(join(folder, "dev-key")).mode & 0o777).toBe(0o600);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  it.each(["another-key-0123456789", given])("replaces a file that others may read, holding %s", (before) => {
    writeFileSync(path, `${before}\n`);
    chmodSync(path, 0o644);

    saveDevKey(dataDir, given);

    expect(readFileSync(path, "utf8")).toBe(`${given}\n`);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(dataDir)).toEqual(["dev-key"]);
  });

  it("leaves a file alone that is as it must be", () => {
    saveDevKey(dataDir, given);
    const before = statSync(path);

    saveDevKey(dataDir, given);

    expect(statSync(path).ino).toBe(before.ino);
  });

  it.runIf(process.platform === "linux")("says so at once where no folder can be made", () => {
    expect(() => saveDevKey("/proc/sluice/data", given)).toThrow(
      "the development key cannot be written to /proc/sluice/data/dev-key (ENOENT)",
    );
  });

  it("says when it cannot write", () => {
    writeFileSync(path, "in the way");

    expect(() => saveDevKey(join(path, "data"), given)).toThrow(StartError);
  });
});
