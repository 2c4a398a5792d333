import type { Redis } from "ioredis";
import type { AppendEvents } from "./append-events.ts";
import { createAppendEvents } from "./append-events.ts";
import type { Reachability } from "./reachability.ts";
import { createReachability } from "./reachability.ts";

/**
 * One of several connections that append. Chunks of one project go over one, so that they stay in order; those of other
 * projects go over others, because Redis takes at most one large command from each connection before it waits for the
 * disk: with four of them, four chunks share an fsync. For 100 projects that is 3 of 15 µs of Redis an event of a chunk of
 * 100, and a shorter wait.
 */
export interface AppendLane {
  readonly appendEvents: AppendEvents;
  readonly reachability: Reachability;
}

/** A lane over this connection, which is one for writes. */
export function createAppendLane(redis: Redis, segmentEvents: number): AppendLane {
  const reachability = createReachability(redis.status === "ready");
  const appendEvents = createAppendEvents(redis, segmentEvents);
  redis.on("ready", () => reachability.set(true));
  redis.on("close", () => reachability.set(false));
  return {
    reachability,
    async appendEvents(call, isAgain) {
      try {
        return await appendEvents(call, isAgain);
      } catch (error) {
        // A Redis that did not answer in time is given no more to do until it does: what it was never sent is certainly
        // not stored, and may be sent again.
        const isSilent = error instanceof Error && error.message === "Command timed out";
        // The others that are with it time out now too.
        if (isSilent && reachability.isReachable()) {
          reachability.set(false);
          redis.disconnect(true);
        }
        throw error;
      }
    },
  };
}
