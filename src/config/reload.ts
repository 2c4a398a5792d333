import type { Logger } from "pino";
import { StartError } from "../domain/start-error.ts";
import { createFilePoll } from "../files/poll-files.ts";
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

/**
 * Reads a file of projects, and looks at it from then on, by path: a link that points elsewhere is a change too. A version
 * with a fault is refused as a whole, and the one before stays in force. Throws StartError when it is the first.
 */
export function watchProjects({ path, logger, pollMs }: WatchProjectsOptions): WatchedProjects {
  const poll = createFilePoll([path]);
  const first = readProjectFile(path);
  let lastDigest: string | undefined = first.textDigest;
  const projects = createProjects(first.projects);

  function read(isAskedFor: boolean): void {
    poll.markRead();
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
    logger.info({ changes }, changes.length > 0 ? "the configuration has changed" : "the configuration is as it was");
  }

  function refuse(error: unknown): void {
    if (error instanceof StartError) for (const fault of error.message.split("\n")) logger.error(fault);
    else logger.error({ err: error }, "the configuration cannot be read, by a fault of ours");
    logger.error("the configuration before stays in force");
  }

  poll.start(() => read(false), pollMs);
  return { projects, reload: () => read(true), stop: poll.stop };
}
