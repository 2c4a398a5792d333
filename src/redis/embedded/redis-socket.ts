import { createHash } from "node:crypto";
import { lstatSync, mkdirSync, rmSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { dirname, join } from "node:path";
import { StartError } from "../../domain/start-error.ts";
import { errorCode } from "../../files/error-code.ts";

/** Where an embedded Redis listens. */
export interface RedisSocket {
  /** Absolute, at most 107 bytes, and the same at each start, so that an orphan is found there. */
  readonly path: string;
  /** Removes what was made for the socket outside of the data folder. */
  remove(): void;
}

// What fits into sockaddr_un beside its closing NUL; both Redis and Node refuse more.
const pathBytesMax = 107;

/**
 * The socket for a data folder: in that folder, or in one of our own (mode 0700) in the temp folder when the path would be
 * too long. Throws StartError when that one cannot be made, or belongs to someone else. `dataDir` is a real path.
 */
export function prepareRedisSocket(dataDir: string): RedisSocket {
  const path = join(dataDir, "redis.sock");
  if (Buffer.byteLength(path) <= pathBytesMax) return { path, remove() {} };
  return prepareShortSocket(dataDir);
}

function prepareShortSocket(dataDir: string): RedisSocket {
  const name = `sluice-${createHash("sha256").update(dataDir).digest("hex").slice(0, 24)}`;
  const inTemp = join(tmpdir(), name, "redis.sock");
  const path = Buffer.byteLength(inTemp) <= pathBytesMax ? inTemp : join("/tmp", name, "redis.sock");
  const folder = dirname(path);
  createOwnFolder(folder);
  return { path, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

function createOwnFolder(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o700 });
    return;
  } catch (error) {
    if (errorCode(error) !== "EEXIST") {
      throw new StartError(`the folder ${folder}, for the socket of Redis, cannot be made (${errorCode(error)})`);
    }
  }
  // Anyone may write in the temp folder; who owns this one could put another Redis behind our back.
  const found = lstatSync(folder);
  if (!found.isDirectory() || found.uid !== userInfo().uid || (found.mode & 0o077) !== 0) {
    throw new StartError(
      `${folder}, where the socket of Redis must go, is not a private folder of this user: remove it`,
    );
  }
}
