import type { Redis } from "ioredis";
import { type IndexPlan, parsePlan } from "../index-plan.ts";
import type { ProjectKeys } from "../keys.ts";
import { loadScript } from "../scripts.ts";

/** What another plan changes: indexed properties, by name. */
export interface PlanChange {
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

/**
 * Makes a plan the one that holds for the events that a project has and will get. Resolves with what that changes;
 * undefined when nothing, or when there are no events yet: the first to append stores its plan. Needs no lease: it is whole
 * in itself. Rejects as ioredis does.
 */
export type ApplyIndexes = (keys: ProjectKeys, plan: IndexPlan) => Promise<PlanChange | undefined>;

export function createApplyIndexes(redis: Redis): ApplyIndexes {
  const script = loadScript(redis, "apply-indexes", 3);
  return async (keys, plan) => {
    const reply = await script([keys.meta, keys.segments, keys.droppedIndexes], [plan.text, plan.ids.join(" ")]);
    if (reply === null) return undefined;
    if (!Buffer.isBuffer(reply)) throw new Error("apply-indexes.lua gave an unknown reply");
    const before = reply.toString("utf8");
    return before === plan.text ? undefined : compare(before, plan);
  };
}

function compare(text: string, { properties }: IndexPlan): PlanChange {
  const before: ReadonlySet<string> = text === "" ? new Set() : parsePlan(text).properties;
  return {
    added: [...properties].filter((property) => !before.has(property)),
    removed: [...before].filter((property) => !properties.has(property)),
  };
}
