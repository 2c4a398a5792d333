import type { Project } from "../domain/project.ts";
import { comparePlaces, type StreamPlace } from "./stream-place.ts";

/** Knows where the streams of projects begin, which moves only when old events are removed. */
export interface OldestPlaces {
  /** Whether there certainly is an event in front of a place. */
  isBefore(project: Project, place: StreamPlace): boolean;
  learn(project: Project, oldest: StreamPlace): void;
}

/** How far our clock, that of Redis and those of other servers may be apart, so that removals surprise nobody. */
const clockMarginMs = 60_000;

export function createOldestPlaces(nowMs: () => number = Date.now): OldestPlaces {
  const known = new Map<string, StreamPlace>();
  return {
    isBefore({ name, settings }, place) {
      const oldest = known.get(name);
      if (oldest === undefined || comparePlaces(oldest, place) >= 0) return false;
      return settings.retentionMs === undefined || place.ms > nowMs() - settings.retentionMs + clockMarginMs;
    },
    learn({ name }, oldest) {
      if (known.size >= 10_000) known.clear();
      known.set(name, oldest);
    },
  };
}
