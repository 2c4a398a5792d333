import { createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import type { Redis } from "ioredis";
import { pageTokenSecretKey } from "./keys.ts";

/**
 * The secret of page tokens, shared by all servers of one Redis and kept over restarts: the first to ask makes it. Rejects
 * as ioredis does.
 */
export async function readPageTokenSecret(redis: Redis): Promise<KeyObject> {
  await redis.set(pageTokenSecretKey, randomBytes(32), "NX");
  const secret = await redis.getBuffer(pageTokenSecretKey);
  if (secret === null) throw new Error("the secret of page tokens is gone");
  return createSecretKey(secret);
}
