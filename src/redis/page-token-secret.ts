import { createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import type { Redis } from "ioredis";
import { pageTokenSecretKey } from "./keys.ts";

/**
 * The secret of page tokens, shared by all servers of one Redis and kept over restarts: the first to ask makes it. Rejects
 * as ioredis does.
 */
export async function readPageTokenSecret(redis: Redis): Promise<KeyObject> {
  const known = await redis.getBuffer(pageTokenSecretKey);
  // Only when there is none: a Redis that is full refuses to write, and its events can be read all the same.
  if (known === null) await redis.set(pageTokenSecretKey, randomBytes(32), "NX");
  const secret = known ?? (await redis.getBuffer(pageTokenSecretKey));
  if (secret === null) throw new Error("the secret of page tokens is gone");
  return createSecretKey(secret);
}
