import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type WatchedProjects, watchProjects } from "../../src/config/reload.ts";
import { createAccess, digestKey } from "../../src/domain/access.ts";
import { StartError } from "../../src/domain/start-error.ts";
import { captureLog } from "../support/captured-log.ts";

const pollMs = 10;

let folder = "";
let path = "";
let watched: WatchedProjects | undefined;
let log = captureLog();

beforeEach(() => {
  vi.useFakeTimers();
  folder = mkdtempSync(join(tmpdir(), "sluice-reload-"));
  path = join(folder, "sluice.yaml");
  log = captureLog();
});
afterEach(() => {
  watched?.stop();
  vi.useRealTimers();
  rmSync(folder, { recursive: true });
});

/** A file of one project with this key. */
function fileFor(key: string, fields = ""): string {
  return `projects: { shop: { ${fields} keys: [{ name: k, secret: "sha256:${digestKey(key)}", permissions: [track] }] } }\n`;
}

function watch(): (key: string) => boolean {
  watched = watchProjects({ path, logger: log.logger, pollMs });
  const access = createAccess(watched.projects.readGrants);
  return (key) => {
    try {
      return access.authenticate(`Bearer ${key}`).project.name === "shop";
    } catch {
      return false;
    }
  };
}

/** Lets so many looks at the file happen. */
function look(count = 2): void {
  vi.advanceTimersByTime(count * pollMs);
}

/** What was logged from then on: level and text. */
function linesSince(start: number): string[] {
  return log.lines.slice(start).map((line) => {
    const { level, msg } = JSON.parse(line);
    return `${level === 50 ? "error" : level === 40 ? "warn" : "info"}: ${msg}`;
  });
}

describe("watchProjects", () => {
  it("serves what the file has, and has nothing to say of it", () => {
    writeFileSync(path, fileFor("one", "retention: 30d,"));
    const opens = watch();

    expect(opens("one")).toBe(true);
    expect(watched?.projects.readProjects()).toMatchObject([
      { name: "shop", settings: { retentionMs: 2_592_000_000 } },
    ]);
    expect(linesSince(0)).toEqual([]);
  });

  it("throws the faults of the first version", () => {
    writeFileSync(path, "projects: {}");
    expect(watch).toThrow(StartError);

    rmSync(path);
    expect(watch).toThrow(/cannot be read \(ENOENT\)/);
  });

  it.each<[string, (text: string) => void]>([
    ["written over", (text) => writeFileSync(path, text)],
    [
      "replaced by another",
      (text) => {
        writeFileSync(`${path}.new`, text);
        renameSync(`${path}.new`, path);
      },
    ],
    [
      "replaced by one as old and as long",
      (text) => {
        writeFileSync(`${path}.new`, text);
        utimesSync(`${path}.new`, 1, 1);
        renameSync(`${path}.new`, path);
      },
    ],
    [
      "removed, and written again a look later",
      (text) => {
        rmSync(path);
        look(1);
        writeFileSync(path, text);
      },
    ],
  ])("takes up a file that is %s, and says what changed", (_, change) => {
    writeFileSync(path, fileFor("one"));
    utimesSync(path, 1, 1);
    const opens = watch();
    const start = log.lines.length;

    change(fileFor("two"));
    look();

    expect([opens("one"), opens("two")]).toEqual([false, true]);
    expect(linesSince(start)).toEqual(["info: the configuration has changed"]);
    expect(JSON.parse(log.lines.at(-1) ?? "").changes).toEqual(["key k of shop changed: secret"]);
  });

  it("follows the links by which Kubernetes swaps a folder", () => {
    for (const [name, key] of [
      ["..v1", "one"],
      ["..v2", "two"],
    ] as const) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, "sluice.yaml"), fileFor(key));
    }
    symlinkSync("..v1", join(folder, "..data"));
    symlinkSync("..data/sluice.yaml", path);
    const opens = watch();

    symlinkSync("..v2", join(folder, "..data_tmp"));
    renameSync(join(folder, "..data_tmp"), join(folder, "..data"));
    rmSync(join(folder, "..v1"), { recursive: true });
    look();

    expect(opens("two")).toBe(true);
  });

  it("waits for the end of a change that takes longer than a look", () => {
    writeFileSync(path, fileFor("one"));
    const opens = watch();
    const start = log.lines.length;

    writeFileSync(path, "projects: {");
    look(1);
    writeFileSync(path, fileFor("two"));
    look(1);
    expect(linesSince(start)).toEqual([]);
    look(1);

    expect(opens("two")).toBe(true);
    expect(linesSince(start)).toEqual(["info: the configuration has changed"]);
  });

  it("refuses a version with faults, telling each once, and keeps the one before", () => {
    writeFileSync(path, fileFor("one"));
    const opens = watch();
    const start = log.lines.length;

    writeFileSync(path, fileFor("two", "maxEvents: 0, colour: red,"));
    look(10);

    expect([opens("one"), opens("two")]).toEqual([true, false]);
    expect(linesSince(start)).toEqual([
      expect.stringMatching(/^error: .*sluice\.yaml: projects\.shop\.maxEvents is 0; it must be /),
      expect.stringMatching(/^error: .*sluice\.yaml: projects\.shop\.colour is not a field; /),
      "error: the configuration before stays in force",
    ]);

    writeFileSync(path, fileFor("three"));
    look();
    expect(opens("three")).toBe(true);
  });

  it("says that all is as it was when a faulty version was undone", () => {
    writeFileSync(path, fileFor("one"));
    watch();
    writeFileSync(path, "projects: {");
    look();
    const start = log.lines.length;

    writeFileSync(path, fileFor("one"));
    look();

    expect(linesSince(start)).toEqual(["info: the configuration is as it was"]);
  });

  it("does not mind a file that was merely touched", () => {
    writeFileSync(path, fileFor("one"));
    watch();
    const start = log.lines.length;

    utimesSync(path, 5, 5);
    look(5);

    expect(linesSince(start)).toEqual([]);
  });

  it("tells once that the file is gone for longer than a moment, and keeps what it had", () => {
    writeFileSync(path, fileFor("one"));
    const opens = watch();
    const start = log.lines.length;

    rmSync(path);
    look(10);

    expect(opens("one")).toBe(true);
    expect(linesSince(start)).toEqual([
      expect.stringMatching(/^error: .*sluice\.yaml: cannot be read \(ENOENT\)$/),
      "error: the configuration before stays in force",
    ]);
    writeFileSync(path, fileFor("two"));
    look();
    expect(opens("two")).toBe(true);
  });

  it("reads the file at once when it is told to, and says so even if nothing changed", () => {
    writeFileSync(path, fileFor("one"));
    const opens = watch();
    const start = log.lines.length;

    watched?.reload();
    writeFileSync(path, fileFor("two"));
    watched?.reload();
    rmSync(path);
    watched?.reload();

    expect(opens("two")).toBe(true);
    expect(linesSince(start)).toEqual([
      "info: the configuration is as it was",
      "info: the configuration has changed",
      expect.stringMatching(/^error: .*cannot be read \(ENOENT\)$/),
      "error: the configuration before stays in force",
    ]);
  });

  it("tells of a fault of ours too, instead of throwing it", () => {
    writeFileSync(path, fileFor("one"));
    const opens = watch();
    const start = log.lines.length;
    vi.spyOn(watched?.projects ?? { replace: vi.fn() }, "replace").mockImplementationOnce(() => {
      throw new TypeError("ours");
    });

    writeFileSync(path, fileFor("two"));
    watched?.reload();

    expect(opens("one")).toBe(true);
    expect(linesSince(start)).toEqual([
      "error: the configuration cannot be read, by a fault of ours",
      "error: the configuration before stays in force",
    ]);
  });

  it("looks no more once it was stopped", () => {
    writeFileSync(path, fileFor("one"));
    const opens = watch();

    watched?.stop();
    writeFileSync(path, fileFor("two"));
    look(5);

    expect(opens("one")).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("logs neither a key nor a digest", () => {
    writeFileSync(path, fileFor("one"));
    watch();
    writeFileSync(path, fileFor("two"));
    look();
    writeFileSync(path, fileFor("two").replace("sha256:", "plain-"));
    look();

    expect(log.lines).toHaveLength(3);
    for (const key of ["one", "two"]) expect(log.containing(digestKey(key))).toEqual([]);
  });
});
