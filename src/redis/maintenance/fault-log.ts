import type { Logger } from "pino";
import type { Project } from "../../domain/project.ts";
import { errorText } from "../caught.ts";
import { wasLeaseLost } from "./lease.ts";
import { WorkEnded } from "./pace.ts";

/** Tells what keeps failing only once for each project. */
export interface FaultLog {
  tell(project: Project, thrown: unknown): void;
  /** It has succeeded: should it fail again, that is told again. */
  clear(project: Project): void;
}

export function createFaultLog(logger: Logger, what: string): FaultLog {
  const causes = new Map<string, string>();
  return {
    tell({ name }, thrown) {
      if (isNoFault(thrown)) return;
      // Not the error itself: it holds the command.
      const cause = errorText(thrown);
      if (causes.get(name) !== cause) logger.warn({ project: name, cause }, what);
      causes.set(name, cause);
    },
    clear({ name }) {
      causes.delete(name);
    },
  };
}

/** Whether work ended since it is not wanted now, or another server does it. */
export function isNoFault(thrown: unknown): boolean {
  return thrown instanceof WorkEnded || wasLeaseLost(thrown);
}
