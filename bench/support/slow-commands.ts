import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import type { Redis } from "ioredis";
import type { Finding } from "./finding.ts";

/** Commands that took longer are kept by Redis, in µs, to be asked for. */
export const slowUs = 1000;

const heldMsMax = 5;
const luaFolder = new URL("../../src/redis/lua/", import.meta.url);

/**
 * The commands that held Redis longest since its SLOWLOG was reset, a script under the name of its file. By the clock:
 * what a command waits for the disk is no part of it, but what Redis waits for a processor is.
 */
export async function findSlowCommands(redis: Redis, during: string): Promise<Finding> {
  const scripts = readScriptNames();
  const longestUs = new Map<string, number>();
  const log: unknown = await redis.slowlog("GET", -1);
  for (const entry of Array.isArray(log) ? log : []) {
    const [, , tookUs, [command, sha]] = entry;
    // In capitals: called by a script, and a part of its time.
    if (command === "slowlog" || command === String(command).toUpperCase()) continue;
    const name = scripts.get(String(sha)) ?? String(command);
    longestUs.set(name, Math.max(longestUs.get(name) ?? 0, Number(tookUs)));
  }
  const slow = [...longestUs].sort(([, a], [, b]) => b - a);
  return {
    what: `the commands that held Redis longest, ${during}`,
    figures: slow.map(([name, us]) => `${name} ${(us / 1000).toFixed(1)} ms`).join(", ") || `none above ${slowUs} µs`,
    mustHold: `≤ ${heldMsMax} ms`,
    holds: slow.every(([, us]) => us <= heldMsMax * 1000),
  };
}

/** By the hash that EVALSHA calls them by. */
function readScriptNames(): ReadonlyMap<string, string> {
  return new Map(
    readdirSync(luaFolder).map((file) => {
      const lua = readFileSync(new URL(file, luaFolder));
      return [createHash("sha1").update(lua).digest("hex"), file];
    }),
  );
}
