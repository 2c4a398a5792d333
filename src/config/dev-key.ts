import { randomBytes } from "node:crypto";
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StartError } from "../domain/start-error.ts";
import { errorCode } from "../files/error-code.ts";
import { makeFolder } from "../files/make-folder.ts";

/** The key that opens the development project. */
export interface DevKey {
  /** 16 to 256 visible ASCII characters. */
  readonly key: string;
  /** Made at this start, so that nobody has seen it yet. */
  readonly isNew: boolean;
}

/** What a development key must be, for a person to read. */
export const devKeyExpectation = "16 to 256 visible ASCII characters, without spaces";

export function isDevKey(text: string): boolean {
  return /^[\x21-\x7e]{16,256}$/.test(text);
}

/**
 * The key given, else the one kept in the data folder, else one made now. Stores nothing: two servers may be starting,
 * and the one that gets the folder stores its key. Throws StartError when the kept one is malformed or unreadable.
 */
export function resolveDevKey(dataDir: string, given: string | undefined): DevKey {
  const known = given ?? readDevKey(dataDir);
  if (known !== undefined) return { key: known, isNew: false };
  return { key: `dev_${randomBytes(24).toString("base64url")}`, isNew: true };
}

/** The key kept in a data folder; undefined when there is none. Throws StartError when it is malformed or unreadable. */
export function readDevKey(dataDir: string): string | undefined {
  const path = devKeyPath(dataDir);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new StartError(`the development key in ${path} cannot be read (${code})`);
  }
  const key = text.trim();
  if (isDevKey(key)) return key;
  throw new StartError(
    `${path} does not hold a development key, which is ${devKeyExpectation}: correct the file, or remove it to have one made`,
  );
}

/**
 * Keeps a key in the data folder, readable by this user alone, whatever was there before. Whole or not at all. Creates
 * the folder (mode 0700) when it is missing. Throws StartError when it cannot be written.
 */
export function saveDevKey(dataDir: string, key: string): void {
  const path = devKeyPath(dataDir);
  const unfinished = `${path}.new`;
  try {
    // A folder that cannot be written to, such as a mounted secret, is good enough when it holds the key already.
    if (isKept(path, key)) return;
    makeFolder(dataDir);
    // A new file, as another process may have the old one open, or anyone may have been allowed to read it.
    rmSync(unfinished, { force: true });
    writeFileSync(unfinished, `${key}\n`, { mode: 0o600, flag: "wx" });
    renameSync(unfinished, path);
  } catch (error) {
    throw new StartError(`the development key cannot be written to ${path} (${errorCode(error)})`);
  }
}

function isKept(path: string, key: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  return found?.isFile() === true && (found.mode & 0o777) === 0o600 && readFileSync(path, "utf8") === `${key}\n`;
}

function devKeyPath(dataDir: string): string {
  return join(dataDir, "dev-key");
}
