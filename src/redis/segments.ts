import type { Redis } from "ioredis";
import type { Project } from "../domain/project.ts";
import { projectKeys } from "./keys.ts";
import { comparePlaces, parseStreamId, type StreamPlace } from "./stream-place.ts";

/** Events that follow one another, and have buckets of their own in each index: from the base to the next one's. */
export interface Segment {
  /** As keys are named after it. */
  readonly id: string;
  readonly base: StreamPlace;
  /** Ids of the indexes that hold all of its events. */
  readonly indexIds: ReadonlySet<string>;
}

/** A project's segments, the oldest first. */
export interface SegmentList {
  /** Changes whenever they do. */
  readonly version: string;
  readonly segments: readonly Segment[];
}

/** The segments of projects, as far as is known: whoever reads by them asks Redis in the same step for their version. */
export interface Segments {
  /** Rejects as ioredis does. */
  read(project: Project): Promise<SegmentList>;
  /** What is known has another version than is stored. */
  forget(project: Project): void;
}

/** Of each project a few dozen segments; those of the projects that are looked into are what is kept. */
const projectsMax = 1000;

export function createSegments(redis: Redis): Segments {
  const known = new Map<string, Promise<SegmentList>>();

  async function load({ name }: Project): Promise<SegmentList> {
    const keys = projectKeys(name);
    // The version comes first: should they change in between, it is the old one, and does not pass for theirs.
    const [version, fields] = await Promise.all([
      redis.hget(keys.meta, "segments_version"),
      redis.hgetall(keys.segments),
    ]);
    const segments = Object.entries(fields).map(([id, indexIds]) => ({
      id,
      base: parseStreamId(id),
      indexIds: new Set(indexIds.split(" ")),
    }));
    return { version: version ?? "", segments: segments.sort((a, b) => comparePlaces(a.base, b.base)) };
  }

  return {
    read(project) {
      const found = known.get(project.name);
      if (found !== undefined) return found;
      if (known.size >= projectsMax) known.clear();
      const loaded = load(project);
      known.set(project.name, loaded);
      loaded.catch(() => known.delete(project.name));
      return loaded;
    },
    forget(project) {
      known.delete(project.name);
    },
  };
}
