import type { Redis } from "ioredis";
import type { BenchRedis } from "./redis-server.ts";
import type { Subject } from "./subject.ts";

/** The project that everything of ours is tracked to, with the default indexes. */
export const benchProject = "bench";

/** The project of its own whose memory is measured. */
export const memoryProject = "memory";

/** What every bench of one run works with. */
export interface BenchContext {
  readonly subject: Subject;
  readonly redis: BenchRedis;
  /** A connection to that Redis, for what is not measured. */
  readonly commands: Redis;
  readonly roundMs: number;
}
