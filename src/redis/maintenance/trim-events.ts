import type { Redis } from "ioredis";
import type { ProjectKeys } from "../keys.ts";
import { loadScript } from "../scripts.ts";

/** What one step of trimming did. */
export interface Trimmed {
  /** Events that were removed. */
  readonly count: number;
  /** The stream id of the oldest event left; undefined when none is. */
  readonly oldest: string | undefined;
  /** Whether another step may remove more. */
  readonly isMore: boolean;
}

/**
 * Removes a bounded number of events that are older than they are to be kept, by Redis' clock and by the one given. Only
 * whole nodes of the stream go, so some stay a while longer. It also takes segments without events off the list. Works
 * when Redis is full. Needs no lease: a step is whole in itself. Rejects as ioredis does.
 */
export type TrimEvents = (keys: ProjectKeys, nowMs: number, retentionMs: number) => Promise<Trimmed>;

export function createTrimEvents(redis: Redis): TrimEvents {
  const script = loadScript(redis, "trim-events", 4);
  return async (keys, nowMs, retentionMs) => {
    const reply = await script([keys.events, keys.meta, keys.segments, keys.droppedIndexes], [nowMs, retentionMs]);
    const [count, oldest, isMore] = Array.isArray(reply) ? reply : [];
    if (typeof count !== "number" || !Buffer.isBuffer(oldest)) throw new Error("trim-events.lua gave an unknown reply");
    return { count, oldest: oldest.toString("latin1") || undefined, isMore: isMore === 1 };
  };
}
