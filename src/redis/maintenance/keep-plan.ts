import type { Redis } from "ioredis";
import type { Logger } from "pino";
import type { Project, ProjectSettings } from "../../domain/project.ts";
import { planIndexes } from "../index-plan.ts";
import { projectKeys } from "../keys.ts";
import { createApplyIndexes } from "./apply-indexes.ts";

/**
 * Makes the indexes that a project is configured to have those that are kept, once for each of its settings and each data
 * set: of several servers that are configured differently, the last to load its configuration wins. Resolves with whether it
 * has changed what is kept. Rejects as ioredis does.
 */
export type KeepPlan = (project: Project) => Promise<boolean>;

export function createKeepPlan(redis: Redis, logger: Logger): KeepPlan {
  const applyIndexes = createApplyIndexes(redis);
  const applied = new Map<string, { readonly settings: ProjectSettings; readonly epoch: string | null }>();
  return async ({ name, settings }) => {
    const keys = projectKeys(name);
    const epoch = await redis.hget(keys.meta, "epoch");
    const before = applied.get(name);
    if (epoch === null || (before?.settings === settings && before.epoch === epoch)) return false;
    const change = await applyIndexes(keys, planIndexes(settings.indexedProperties));
    applied.set(name, { settings, epoch });
    if (change === undefined) return false;
    const { added, removed } = change;
    // Neither, where events are from before there were indexes.
    if (added.length + removed.length > 0) {
      logger.info({ project: name, added, removed }, "the indexed properties have changed");
    }
    return true;
  };
}
