import { statSync } from "node:fs";
import type { Logger } from "pino";
import { StartError } from "../domain/start-error.ts";
import type { ProjectFile } from "./project-file.ts";
import { readProjectFile } from "./project-file.ts";
import type { Projects } from "./projects.ts";
import { createProjects } from "./projects.ts";

/** Projects as a file configures them, now and after it has changed. */
export interface WatchedProjects {
  readonly projects: Projects;
  /** Reads the file now, changed or not, and logs what came of it. Never throws. */
  reload(): void;
  /** Looks at the file no more. */
  stop(): void;
}

export interface WatchProjectsOptions {
  /** Absolute. */
  readonly path: string;
  readonly logger: Logger;
  /** How often to look whether the file has changed. Default 2 s. */
  readonly pollMs?: number;
}

/** With how many looks in vain its operator is told that the file is not there; some replace it by way of none. */
const missesMax = 3;

/**
 * Reads a file of projects, and looks at it from then on, by path: a link that points elsewhere is a change too. It is
 * read anew once it has stayed as it is from one look to the next, as half of a file can be sound. A version with a fault
 * is refused as a whole, and the one before stays in force. Throws StartError when it is the first.
 */
export function watchProjects({ path, logger, pollMs = 2000 }: WatchProjectsOptions): WatchedProjects {
  // Before it is read: what is written in between is then seen as a change.
  let readLook = lookAt(path);
  let lastLook = readLook;
  let missCount = 0;
  const first = readProjectFile(path);
  let lastDigest: string | undefined = first.textDigest;
  const projects = createProjects(first.projects);
  warn(first);

  function poll(): void {
    const look = lookAt(path);
    const isSettled = look === lastLook;
    lastLook = look;
    if (look === undefined) {
      if (++missCount === missesMax) refuse(new StartError(`${path}: cannot be found`));
      return;
    }
    missCount = 0;
    if (isSettled && look !== readLook) read(look);
  }

  function read(look: string | undefined, isAskedFor = false): void {
    readLook = look;
    try {
      const file = readProjectFile(path);
      if (isAskedFor || file.textDigest !== lastDigest) apply(file);
      lastDigest = file.textDigest;
    } catch (error) {
      lastDigest = undefined;
      refuse(error);
    }
  }

  function apply(file: ProjectFile): void {
    const changes = projects.replace(file.projects);
    warn(file);
    logger.info({ changes }, changes.length > 0 ? "the configuration has changed" : "the configuration is as it was");
  }

  function warn({ warnings }: ProjectFile): void {
    for (const warning of warnings) logger.warn(warning);
  }

  function refuse(error: unknown): void {
    if (error instanceof StartError) for (const fault of error.message.split("\n")) logger.error(fault);
    else logger.error({ err: error }, "the configuration cannot be read, by a fault of ours");
    logger.error("the configuration before stays in force");
  }

  const timer = setInterval(poll, pollMs);
  timer.unref();
  return {
    projects,
    reload: () => read(lookAt(path), true),
    stop: () => clearInterval(timer),
  };
}

/** What changes with a file, or with what its path leads to; undefined when there is none to be had. */
function lookAt(path: string): string | undefined {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(":");
  } catch {
    return undefined;
  }
}
