import { comparePlaces, type StreamPlace } from "../stream-place.ts";
import type { IndexState } from "./index-state.ts";

/** Indexes that some events lack, and are to be built for these. */
export interface Build {
  /** The first of the events; undefined when they are in no segment yet, so that one has to be cut off their end. */
  readonly base: StreamPlace | undefined;
  /** The first event behind them; undefined when they are the newest. */
  readonly behind: StreamPlace | undefined;
  /** The newest event there was: later ones are not part of it. */
  readonly newest: StreamPlace;
  /** As ordinals of the plan. */
  readonly ordinals: readonly number[];
}

/**
 * What is to be built next, so that each event is in all indexes of the plan: newest first, as those are looked up most.
 * The segment that is added to has them all.
 */
export function findNextBuild({
  plan,
  segments,
  current,
  oldest,
  newest,
}: Omit<IndexState, "dropped">): Build | undefined {
  if (plan === undefined || oldest === undefined || newest === undefined) return undefined;
  const all = [...plan.ids.keys()];
  for (const [i, { id, base, indexIds }] of [...segments.entries()].reverse()) {
    if (id === current) continue;
    const ordinals = all.filter((ordinal) => !indexIds.has(plan.ids[ordinal] ?? ""));
    if (ordinals.length > 0) return { base, behind: segments[i + 1]?.base, newest, ordinals };
  }
  const behind = segments[0]?.base;
  const isFront = behind === undefined || comparePlaces(oldest, behind) < 0;
  return isFront ? { base: undefined, behind, newest, ordinals: all } : undefined;
}
