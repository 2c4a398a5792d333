import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import type { Redis } from "ioredis";

const luaFolder = new URL("../../src/redis/lua/", import.meta.url);

/**
 * The longest of Redis' slow commands since its SLOWLOG was reset, in µs, by name: a script's is that of its file. What a
 * command waits for the disk is no part of it.
 */
export async function readSlowCommands(redis: Redis): Promise<ReadonlyMap<string, number>> {
  const scripts = readScriptNames();
  const longest = new Map<string, number>();
  const log: unknown = await redis.slowlog("GET", -1);
  for (const entry of Array.isArray(log) ? log : []) {
    const [, , tookUs, [command, sha]] = entry;
    const name = scripts.get(String(sha)) ?? String(command);
    longest.set(name, Math.max(longest.get(name) ?? 0, Number(tookUs)));
  }
  return longest;
}

/** By the hash that EVALSHA calls them by. */
function readScriptNames(): ReadonlyMap<string, string> {
  return new Map(
    readdirSync(luaFolder).map((file) => [
      createHash("sha1")
        .update(readFileSync(new URL(file, luaFolder)))
        .digest("hex"),
      file,
    ]),
  );
}
