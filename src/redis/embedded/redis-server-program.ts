import { execFile } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { promisify } from "node:util";
import { StartError } from "../../domain/start-error.ts";
import { isSupportedVersion, redisVersionMin } from "../redis-version.ts";

/** Where to look for the program. */
export interface RedisServerSearch {
  /** The program itself, from SLUICE_REDIS_SERVER; then nothing else is looked at. */
  readonly serverPath?: string | undefined;
  /** The folders of PATH, as PATH writes them. */
  readonly searchPath?: string | undefined;
}

/** A program that runs a Redis or Valkey server of a supported version. */
export interface RedisServerProgram {
  /** Absolute. Not resolved further: where Redis is one program with many names, the name says which to be. */
  readonly path: string;
  readonly version: string;
}

/** Finds `redis-server`, else `valkey-server`. Throws StartError when there is none, or it is too old. */
export async function findRedisServer(search: RedisServerSearch): Promise<RedisServerProgram> {
  const path = search.serverPath === undefined ? findOnPath(search.searchPath ?? "") : checkGiven(search.serverPath);
  const version = await readVersion(path);
  if (!isSupportedVersion(version)) {
    throw new StartError(
      `${path} is version ${version}, and Sluice needs ${redisVersionMin} or later: install a newer Redis or Valkey, ` +
        "or set SLUICE_REDIS_SERVER to one",
    );
  }
  return { path, version };
}

function checkGiven(serverPath: string): string {
  const path = resolve(serverPath);
  if (!isProgram(path)) throw new StartError(`SLUICE_REDIS_SERVER is ${path}, which is not a program`);
  return path;
}

function findOnPath(searchPath: string): string {
  const folders = searchPath.split(delimiter).filter((folder) => folder !== "");
  for (const name of ["redis-server", "valkey-server"]) {
    for (const folder of folders) {
      const path = resolve(join(folder, name));
      if (isProgram(path)) return path;
    }
  }
  throw new StartError(
    `there is no redis-server on PATH: install Redis or Valkey ${redisVersionMin} or later, ` +
      "or set SLUICE_REDIS_SERVER to the program, or SLUICE_REDIS_URL to a running one",
  );
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

async function readVersion(path: string): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(path, ["--version"], { timeout: 10_000 });
    const version = / v=(\d+\.\d+[^ ]*)/.exec(stdout)?.[1];
    if (version !== undefined) return version;
  } catch (error) {
    const fault = error instanceof Error ? error.message.split("\n", 1)[0] : String(error);
    throw new StartError(`${path} does not run: ${fault}`);
  }
  throw new StartError(
    `${path} does not tell its version as redis-server does: set SLUICE_REDIS_SERVER to that program`,
  );
}
