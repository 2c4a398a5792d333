import type { Redis } from "ioredis";

/** Gives what a contender verifies with: that a stream has grown from now on by as many entries as it counted. */
export async function createStoredCheck(redis: Redis, stream: string): Promise<(done: number) => Promise<void>> {
  const before = await redis.xlen(stream);
  return async (done) => {
    const stored = (await redis.xlen(stream)) - before;
    if (stored !== done) throw new Error(`${stream} has ${stored} entries more, and ${done} were counted`);
  };
}
