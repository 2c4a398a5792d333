import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { StartError } from "../../../src/domain/start-error.ts";
import { lockDataFolder } from "../../../src/redis/embedded/data-folder-lock.ts";

let temp: string;
let dataDir: string;
let holder: ChildProcess | undefined;

beforeEach(() => {
  temp = mkdtempSync(join(tmpdir(), "sluice-lock-"));
  dataDir = join(temp, "data");
});

afterEach(() => {
  holder?.kill("SIGKILL");
  holder = undefined;
  rmSync(temp, { recursive: true, force: true });
});

/** Another process that locks the folder and keeps it. Its first output says that it has it, or why not. */
function startHolder(): { child: ChildProcess; output: Promise<string> } {
  const lockModule = new URL("../../../src/redis/embedded/data-folder-lock.ts", import.meta.url).href;
  const script = `
    import { lockDataFolder } from ${JSON.stringify(lockModule)};
    try {
      const lock = lockDataFolder(${JSON.stringify(dataDir)});
      console.log("locked");
      setInterval(() => lock, 1e6);
    } catch (error) {
      console.log(error.message);
    }
  `;
  const child = spawn(process.execPath, ["--no-warnings", "--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  holder = child;
  return { child, output: once(child.stdout, "data").then(([chunk]) => String(chunk).trim()) };
}

/** The same, once it has the lock. */
async function startLocked(): Promise<ChildProcess> {
  const { child, output } = startHolder();
  expect(await output).toBe("locked");
  return child;
}

describe("lockDataFolder", () => {
  it("creates a missing folder that only its owner may enter", () => {
    lockDataFolder(dataDir).release();

    expect(statSync(dataDir).mode & 0o777).toBe(0o700);
  });

  it("refuses a folder that this process has locked", () => {
    const lock = lockDataFolder(dataDir);

    expect(() => lockDataFolder(dataDir)).toThrow(StartError);

    lock.release();
  });

  it("still keeps other processes out after this one asked twice", async () => {
    const lock = lockDataFolder(dataDir);
    expect(() => lockDataFolder(dataDir)).toThrow(StartError);

    expect(await startHolder().output).toContain(`in use by another Sluice (process ${process.pid})`);

    lock.release();
  });

  it("takes a folder that was given free, and leaves no pid behind", () => {
    const first = lockDataFolder(dataDir);
    first.release();
    first.release();
    expect(existsSync(join(dataDir, "lock.pid"))).toBe(false);

    lockDataFolder(dataDir).release();
  });

  it("refuses a folder that another process has locked, and names it", async () => {
    const { pid } = await startLocked();

    expect(() => lockDataFolder(dataDir)).toThrow(
      new StartError(
        `the data folder ${dataDir} is in use by another Sluice (process ${pid}): ` +
          "stop that one, or set SLUICE_DATA_DIR to another folder",
      ),
    );
  });

  it("takes a folder whose holder was killed", async () => {
    const child = await startLocked();
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;

    lockDataFolder(dataDir).release();
  });

  it("names no process when the pid beside the lock is not of a living one", async () => {
    await startLocked();
    writeFileSync(join(dataDir, "lock.pid"), "999999999\n");

    expect(() => lockDataFolder(dataDir)).toThrow(/in use by another Sluice: stop/);
  });

  it("refuses a file, and a path below one", () => {
    writeFileSync(dataDir, "");

    expect(() => lockDataFolder(dataDir)).toThrow(/is not a folder: set SLUICE_DATA_DIR to one$/);
    expect(() => lockDataFolder(join(dataDir, "below"))).toThrow(/is not a folder/);
  });

  it("refuses a folder in which nothing can be written", () => {
    mkdirSync(join(dataDir, "lock"), { recursive: true });

    expect(() => lockDataFolder(dataDir)).toThrow(/cannot be used \(unable to open database file\): make it writable/);
  });
});
