import type { Redis } from "ioredis";
import type { Logger } from "pino";
import type { Clock } from "../../domain/ports.ts";
import type { Project } from "../../domain/project.ts";
import type { IndexPlan } from "../index-plan.ts";
import { type ProjectKeys, projectKeys } from "../keys.ts";
import { type BuildOptions, createBuildIndexes } from "./build-indexes.ts";
import { createBuildProgress } from "./build-progress.ts";
import { createDropIndex } from "./drop-index.ts";
import { isNoFault } from "./fault-log.ts";
import { createReadIndexState } from "./index-state.ts";
import { createTakeLease, type Lease } from "./lease.ts";
import { findNextBuild } from "./next-build.ts";
import type { Rest } from "./pace.ts";

/**
 * Deletes the indexes of a project that are no longer read, and builds those that one segment lacks: by one server at a
 * time. Resolves with whether there is more to build: it lets other projects have their turn. Rejects as `rest` and ioredis
 * do.
 */
export type Indexing = (project: Project, rest: Rest) => Promise<boolean>;

export interface IndexingDeps extends BuildOptions {
  readonly redis: Redis;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly leaseMs: number;
}

/** How often a project is looked at until a build that failed begins again. It may have failed for want of memory. */
const looksAfterFault = 12;

export function createIndexing({ redis, clock, logger, leaseMs, ...options }: IndexingDeps): Indexing {
  const takeLease = createTakeLease(redis, leaseMs);
  const readIndexState = createReadIndexState(redis);
  const dropIndex = createDropIndex(redis);
  const buildIndexes = createBuildIndexes(redis, options);
  const looksToRest = new Map<string, number>();

  async function work(project: Project, keys: ProjectKeys, lease: Lease, restAlone: Rest): Promise<boolean> {
    async function rest(): Promise<void> {
      await restAlone();
      await lease.renew();
    }

    // Read again: who had the lease before may have done it all.
    const { dropped, ...state } = await readIndexState(keys);
    for (const one of dropped) await dropIndex(keys, lease, one, rest);
    const build = findNextBuild(state);
    const { plan } = state;
    if (build === undefined || plan === undefined || isToRest(project)) return false;
    const indexes = build.ordinals.map((ordinal) => namesOf(plan)[ordinal] ?? "");
    const progress = createBuildProgress({ logger, clock, project: project.name, indexes });
    try {
      const built = await buildIndexes({ keys, lease, plan, build, rest, onProgress: progress.tell });
      if (built !== undefined) progress.end(built);
      return built !== undefined;
    } catch (thrown) {
      if (!isNoFault(thrown)) looksToRest.set(project.name, looksAfterFault);
      throw thrown;
    }
  }

  function isToRest({ name }: Project): boolean {
    const looks = looksToRest.get(name) ?? 0;
    if (looks > 1) looksToRest.set(name, looks - 1);
    else looksToRest.delete(name);
    return looks > 0;
  }

  return async (project, rest) => {
    const keys = projectKeys(project.name);
    const state = await readIndexState(keys);
    if (state.dropped.length === 0 && findNextBuild(state) === undefined) return false;
    const lease = await takeLease(keys.lease);
    if (lease === undefined) return false;
    try {
      return await work(project, keys, lease, rest);
    } finally {
      await lease.release();
    }
  };
}

/** What the configuration calls the indexes of a plan, by ordinal. */
function namesOf({ properties }: IndexPlan): string[] {
  return ["name", "identity", ...properties];
}
