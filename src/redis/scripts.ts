import { readFileSync } from "node:fs";
import type { Redis } from "ioredis";

/** A Lua script on a connection. Replies are `unknown` until the script's own function has looked at them. */
export type Script = (keys: readonly string[], args: readonly (string | number | Buffer)[]) => Promise<unknown>;

/**
 * Makes `lua/<name>.lua` callable. ioredis sends the text once a connection and its hash from then on. Strings in the
 * reply are Buffers. Without `keyCount`, each call may have another number of keys. The scripts named in `before` are put
 * before it: what several have in common.
 */
export function loadScript(redis: Redis, name: string, keyCount?: number, before: readonly string[] = []): Script {
  const lua = [...before, name].map(readLua).join("\n");
  redis.defineCommand(name, { lua, ...(keyCount !== undefined && { numberOfKeys: keyCount }) });
  const command: unknown = Reflect.get(redis, `${name}Buffer`);
  if (typeof command !== "function") throw new TypeError(`ioredis did not define ${name}`);
  return async (keys, args) => {
    const counted = keyCount === undefined ? [keys.length, ...keys] : keys;
    const reply: unknown = await command.call(redis, ...counted, ...args);
    return reply;
  };
}

function readLua(name: string): string {
  return readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), "utf8");
}
