import type { Logger } from "pino";
import type { Clock } from "../../domain/ports.ts";
import { toStreamId } from "../stream-place.ts";
import type { Built } from "./build-indexes.ts";

/** Tells in the log how far the building of indexes is. */
export interface BuildProgress {
  /** Logs the first time, and every 10 s. */
  tell(eventCount: number, totalCount: number): void;
  end(built: Built): void;
}

const intervalMs = 10_000;

export interface BuildProgressOptions {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly project: string;
  /** As the plan calls them. */
  readonly indexes: readonly string[];
}

export function createBuildProgress({ logger, clock, project, indexes }: BuildProgressOptions): BuildProgress {
  let toldAtMs: number | undefined;
  return {
    tell(eventCount, totalCount) {
      const nowMs = clock.nowMs();
      if (toldAtMs !== undefined && nowMs - toldAtMs < intervalMs) return;
      const isBeginning = toldAtMs === undefined;
      toldAtMs = nowMs;
      logger.info(
        { project, indexes, eventCount, totalCount },
        isBeginning ? "building indexes" : "still building indexes",
      );
    },
    end({ base, eventCount }) {
      logger.info({ project, indexes, eventCount, segment: toStreamId(base) }, "built indexes of a segment");
    },
  };
}
