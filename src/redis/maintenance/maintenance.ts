import type { Redis } from "ioredis";
import type { Logger } from "pino";
import type { Clock } from "../../domain/ports.ts";
import type { Project } from "../../domain/project.ts";
import { segmentEventsDefault } from "../append-events.ts";
import { createFaultLog } from "./fault-log.ts";
import { createIndexing } from "./indexing.ts";
import { createKeepPlan } from "./keep-plan.ts";
import { createPace, type Rest, WorkEnded } from "./pace.ts";
import { repeat } from "./repeat.ts";
import { createRetention } from "./retention.ts";

/** The work in the background: events that are too old are removed, and indexes become those that are configured. */
export interface Maintenance {
  /** Looks at all projects now, as their settings may be others. */
  wake(): void;
  /** Resolves once the step at hand is over. What is broken off goes on after the next start. */
  stop(): Promise<void>;
}

export interface MaintenanceOptions {
  /** For scripts that write: made by createWriteConnection, and for nothing else, as an append must not wait for it. */
  readonly redis: Redis;
  /** The projects that are served now. */
  readonly readProjects: () => readonly Project[];
  readonly logger: Logger;
  readonly clock: Clock;
  readonly limits?: Partial<MaintenanceLimits>;
}

export interface MaintenanceLimits {
  /** How long to wait after all projects were looked at. */
  readonly intervalMs: number;
  /** How long a server that is gone keeps others from building. */
  readonly leaseMs: number;
  /** How many events a segment of the indexes has. */
  readonly segmentEventsMax: number;
  /** Memory that the records of a build may take until they are written. */
  readonly recordBytesMax: number;
}

const limitDefaults: MaintenanceLimits = {
  intervalMs: 5000,
  leaseMs: 30_000,
  segmentEventsMax: segmentEventsDefault,
  recordBytesMax: 64 << 20,
};

/**
 * Begins at once. Each part takes at most about a quarter of the time, of Redis as of this process. What fails is logged,
 * once until it fails otherwise, and tried again. While Redis is away, it waits.
 */
export function startMaintenance({ redis, readProjects, logger, clock, ...given }: MaintenanceOptions): Maintenance {
  const { intervalMs, ...limits } = { ...limitDefaults, ...given.limits };
  const keepPlan = createKeepPlan(redis, logger);
  const retention = createRetention({ redis, clock, logger });
  const indexing = createIndexing({ redis, clock, logger, ...limits });

  /** Does something for each project in turn. Resolves with whether there is more to do for one of them. */
  function forEachProject(fault: string, work: (project: Project, rest: Rest) => Promise<boolean>) {
    const faults = createFaultLog(logger, fault);
    return async (signal: AbortSignal): Promise<boolean> => {
      const rest = createPace(clock, signal);
      let isMore = false;
      for (const project of readProjects()) {
        if (signal.aborted || redis.status !== "ready") return false;
        const { settings } = project;
        // Under new settings, the work may be other.
        const restOfProject = async () => {
          await rest();
          if (project.settings !== settings) throw new WorkEnded();
        };
        try {
          isMore = (await work(project, restOfProject)) || isMore;
          faults.clear(project);
          await rest();
        } catch (thrown) {
          faults.tell(project, thrown);
        }
      }
      return isMore;
    };
  }

  // Apart, so that events go in time, and plans are applied at once, while indexes are built.
  const rhythm = { clock, intervalMs };
  const building = repeat(forEachProject("indexes could not be built or deleted", indexing), rhythm);
  const keeping = repeat(
    forEachProject("indexes could not be changed, or old events not be removed", async (project, rest) => {
      if (await keepPlan(project)) building.wake();
      return retention(project, rest);
    }),
    rhythm,
  );

  return {
    wake() {
      keeping.wake();
      building.wake();
    },
    async stop() {
      await Promise.all([keeping.stop(), building.stop()]);
    },
  };
}
