import { readFileSync } from "node:fs";
import { isProcessAlive } from "./process-alive.ts";

/** The process that a pid file names; undefined when there is no such file, or that process no longer runs. */
export function readLivePid(path: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(path, "latin1"), 10);
    return pid > 0 && isProcessAlive(pid) ? pid : undefined;
  } catch {
    return undefined;
  }
}
