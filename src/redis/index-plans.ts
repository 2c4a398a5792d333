import { ReplyError } from "ioredis";
import type { Project, ProjectSettings } from "../domain/project.ts";
import { type IndexPlan, parsePlan, planIndexes } from "./index-plan.ts";

/** The index plans of projects: those that are stored, as far as is known; else those of their settings. */
export interface IndexPlans {
  planOf(project: Project): IndexPlan;
  /** The text of the plan that is stored. */
  learn(project: Project, text: string): void;
}

export function createIndexPlans(): IndexPlans {
  const ofSettings = new WeakMap<ProjectSettings, IndexPlan>();
  const stored = new Map<string, IndexPlan>();
  return {
    planOf({ name, settings }) {
      const known = stored.get(name) ?? ofSettings.get(settings);
      if (known !== undefined) return known;
      const plan = planIndexes(settings.indexedProperties);
      ofSettings.set(settings, plan);
      return plan;
    },
    learn({ name }, text) {
      stored.set(name, parsePlan(text));
    },
  };
}

/** Nothing was done, since another index plan holds: call again. */
export class IndexPlanChanged extends Error {
  override readonly name = "IndexPlanChanged";

  constructor() {
    super("another index plan holds");
  }
}

/** The plan that the append script says is stored, when it refused a call for being made by another. */
export function storedPlanOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error && thrown instanceof ReplyError)) return undefined;
  return /^INDEXES (.*)$/s.exec(thrown.message)?.[1];
}
