import { rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { StartError } from "../../domain/start-error.ts";
import { errorCode } from "../../files/error-code.ts";
import { makeFolder } from "../../files/make-folder.ts";
import { errorText } from "../caught.ts";
import { readLivePid } from "./pid-file.ts";

/** The right to use a data folder, which one process has at a time. */
export interface DataFolderLock {
  /** Gives the folder free. May be called again, to no effect. */
  release(): void;
}

/**
 * Takes a data folder for this process, or throws StartError when another one has it, or it cannot be used.
 *
 * Creates the folder (mode 0700) when it is missing. The lock is a file lock of the kernel, taken through SQLite: it ends
 * with the process, however that ends, and no file that a dead process left behind can hold it. The files `lock` and
 * `lock.pid` in the folder belong to it.
 */
export function lockDataFolder(dataDir: string): DataFolderLock {
  const folder = resolve(dataDir);
  // Apart from the locked file: to close that one, once opened a second time, would drop this process' lock on it.
  const pidPath = join(folder, "lock.pid");
  let database: DatabaseSync | undefined;
  try {
    makeFolder(folder);
    database = openExclusively(join(folder, "lock"));
    writeFileSync(pidPath, `${process.pid}\n`, { mode: 0o600 });
    return createLock(database, pidPath);
  } catch (error) {
    if (database?.isOpen) database.close();
    throw new StartError(isBusy(error) ? describeHolder(folder, pidPath) : describeFault(folder, error));
  }
}

function openExclusively(path: string): DatabaseSync {
  // Two that start at the same moment can each see the other's attempt; the time-out lets one of them win.
  const database = new DatabaseSync(path, { timeout: 200 });
  try {
    database.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function createLock(database: DatabaseSync, pidPath: string): DataFolderLock {
  return {
    release() {
      if (!database.isOpen) return;
      rmSync(pidPath, { force: true });
      database.close();
    },
  };
}

const sqliteBusy = 5;

function isBusy(thrown: unknown): boolean {
  if (!(thrown instanceof Error) || !("errcode" in thrown)) return false;
  // Its extended codes, such as SQLITE_BUSY_RECOVERY, keep the primary one in the low byte.
  return typeof thrown.errcode === "number" && (thrown.errcode & 0xff) === sqliteBusy;
}

function describeHolder(folder: string, pidPath: string): string {
  const pid = readLivePid(pidPath);
  const holder = pid === undefined ? "another Sluice" : `another Sluice (process ${pid})`;
  return `the data folder ${folder} is in use by ${holder}: stop that one, or set SLUICE_DATA_DIR to another folder`;
}

function describeFault(folder: string, error: unknown): string {
  if (errorCode(error) === "EEXIST" || errorCode(error) === "ENOTDIR") {
    return `the data folder ${folder} is not a folder: set SLUICE_DATA_DIR to one`;
  }
  const fault = errorText(error);
  return `the data folder ${folder} cannot be used (${fault}): make it writable, or set SLUICE_DATA_DIR to another one`;
}
