import type { EventLog } from "./ports.ts";
import type { Caller } from "./project.ts";
import type { Quota } from "./quota.ts";

/** What the project's rate limits have left, for an answer that is good without it: none when that cannot be told. */
export async function readQuotas(log: EventLog, { project }: Caller): Promise<readonly Quota[]> {
  if (project.settings.rateLimits.length === 0) return [];
  return log.readQuotas(project).catch(() => []);
}
