import type { Redis } from "ioredis";
import type { Contender } from "../support/compare.ts";
import type { BenchRedis } from "../support/redis-server.ts";
import { runCallers } from "../support/run-callers.ts";

/** The floor of pages from the newest: XREVRANGE, page after page, counted in entries. */
export function createNewestRanges(
  redis: BenchRedis,
  commands: Redis,
  stream: string,
  count: number,
  callers: number,
): Contender {
  return createRanges(`raw XREVRANGE ${count}`, redis, "+", callers, (bound) =>
    commands.xrevrangeBuffer(stream, bound, "-", "COUNT", count),
  );
}

/** The floor of reading everything: XRANGE, page after page from the oldest, counted in entries. */
export function createOldestRanges(
  redis: BenchRedis,
  commands: Redis,
  stream: string,
  count: number,
  callers: number,
): Contender {
  return createRanges(`raw XRANGE ${count}`, redis, "-", callers, (bound) =>
    commands.xrangeBuffer(stream, bound, "+", "COUNT", count),
  );
}

function createRanges(
  name: string,
  redis: BenchRedis,
  firstBound: string,
  callers: number,
  readRange: (bound: string) => Promise<[id: Buffer, fields: Buffer[]][]>,
): Contender {
  return {
    name,
    redis,
    run(forMs) {
      const bounds = Array.from({ length: callers }, () => firstBound);
      return runCallers(callers, forMs, async () => {
        const entries = await readRange(bounds.shift() ?? firstBound);
        const last = entries.at(-1)?.[0].toString();
        // From the start again when there is no more.
        bounds.push(last === undefined ? firstBound : `(${last}`);
        return entries.length;
      });
    },
  };
}
