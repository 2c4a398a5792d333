import type { Redis } from "ioredis";
import { type IndexPlan, parsePlan } from "../index-plan.ts";
import type { ProjectKeys } from "../keys.ts";
import { loadScript } from "../scripts.ts";
import type { Segment } from "../segments.ts";
import { comparePlaces, parseStreamId, type StreamPlace } from "../stream-place.ts";

/** What a project's indexes are, and should be, at one moment. */
export interface IndexState {
  /** The plan that holds; undefined when there is none yet. */
  readonly plan: IndexPlan | undefined;
  /** The oldest first. */
  readonly segments: readonly Segment[];
  /** The id of the segment that is added to; undefined when the next event begins another. */
  readonly current: string | undefined;
  /** Undefined when there are no events. */
  readonly oldest: StreamPlace | undefined;
  readonly newest: StreamPlace | undefined;
  /** Indexes that are to be deleted, as `<id of the segment>:<id of the index>`. */
  readonly dropped: readonly string[];
}

/** Reads it in one step, so that no event comes between. Rejects as ioredis does. */
export type ReadIndexState = (keys: ProjectKeys) => Promise<IndexState>;

export function createReadIndexState(redis: Redis): ReadIndexState {
  const script = loadScript(redis, "read-index-state", 4);
  return async (keys) => {
    const reply = await script([keys.events, keys.meta, keys.segments, keys.droppedIndexes], []);
    const [facts, segments, dropped] = Array.isArray(reply) ? reply.map(toTexts) : [];
    if (!facts || !segments || !dropped) throw new Error("read-index-state.lua gave an unknown reply");
    const [plan, current, oldest, newest] = facts;
    return {
      plan: plan ? parsePlan(plan) : undefined,
      segments: toSegments(segments).sort((a, b) => comparePlaces(a.base, b.base)),
      current: current || undefined,
      oldest: oldest ? parseStreamId(oldest) : undefined,
      newest: newest ? parseStreamId(newest) : undefined,
      dropped,
    };
  };
}

/** A list of Buffers. */
function toTexts(list: unknown): string[] {
  return Array.isArray(list) ? list.map(String) : [];
}

function toSegments(fields: readonly string[]): Segment[] {
  return Array.from({ length: fields.length / 2 }, (_, i) => {
    const id = fields[2 * i] ?? "";
    const indexIds = new Set((fields[2 * i + 1] ?? "").split(" ").filter(Boolean));
    return { id, base: parseStreamId(id), indexIds };
  });
}
