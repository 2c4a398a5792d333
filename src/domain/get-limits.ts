import type { EventLog } from "./ports.ts";
import type { Caller, ProjectSettings } from "./project.ts";
import type { Quota } from "./quota.ts";

/** What bounds a caller, beside the caps that are the same for all. */
export interface ProjectLimits {
  readonly settings: ProjectSettings;
  /** What the project's rate limits have left, in the order of its settings. */
  readonly quotas: readonly Quota[];
  /** How many events the project holds. */
  readonly eventCount: number;
  /** Those that the caller's key may send to and list; empty: any. */
  readonly environments: readonly string[];
}

/** Says what bounds a caller now. Throws STORAGE_UNAVAILABLE. */
export type GetLimits = (caller: Pick<Caller, "project" | "environments">) => Promise<ProjectLimits>;

export function createGetLimits(log: Pick<EventLog, "readQuotas" | "count">): GetLimits {
  return async ({ project, environments }) => {
    const { settings } = project;
    const [quotas, eventCount] = await Promise.all([log.readQuotas(project), log.count(project)]);
    return {
      settings,
      quotas,
      eventCount,
      environments: environments.length > 0 ? environments : settings.environments,
    };
  };
}
