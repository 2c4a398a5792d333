import type { Redis } from "ioredis";
import type { Logger } from "pino";
import type { Clock } from "../../domain/ports.ts";
import type { Project } from "../../domain/project.ts";
import { projectKeys } from "../keys.ts";
import type { Rest } from "./pace.ts";
import { createTrimEvents } from "./trim-events.ts";

/**
 * Removes what a project keeps no longer, and logs how many that were. Resolves with whether there is more: it lets others
 * have their turn. Rejects as `rest` and ioredis do.
 */
export type Retention = (project: Project, rest: Rest) => Promise<boolean>;

/** After so many steps, a few hundred thousand events, it is the next project's turn. */
const stepsMax = 300;

export interface RetentionDeps {
  readonly redis: Redis;
  readonly clock: Clock;
  readonly logger: Logger;
}

export function createRetention({ redis, clock, logger }: RetentionDeps): Retention {
  const trimEvents = createTrimEvents(redis);
  return async ({ name, settings }, rest) => {
    if (settings.retentionMs === undefined) return false;
    const keys = projectKeys(name);
    let trimmedCount = 0;
    let oldest: string | undefined;
    let isMore = true;
    try {
      for (let step = 0; isMore && step < stepsMax; step++) {
        if (step > 0) await rest();
        const trimmed = await trimEvents(keys, clock.nowMs(), settings.retentionMs);
        trimmedCount += trimmed.count;
        oldest = trimmed.oldest;
        isMore = trimmed.isMore;
      }
    } finally {
      if (trimmedCount > 0) logger.info({ project: name, trimmedCount, oldest }, "removed events that were too old");
    }
    return isMore;
  };
}
