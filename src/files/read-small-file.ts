import { readFileSync, statSync } from "node:fs";
import { StartError } from "../domain/start-error.ts";
import { errorCode } from "./error-code.ts";

/** The content of a file of so many MiB at most, by default 1; `label` is what faults call it. Throws StartError. */
export function readSmallFile(path: string, label: string, mebibytesMax = 1): Buffer {
  try {
    const stats = statSync(path);
    // A pipe or a device might never end.
    if (stats.isFile() && stats.size <= mebibytesMax << 20) return readFileSync(path);
  } catch (error) {
    throw new StartError(`${label} cannot be read (${errorCode(error)})`);
  }
  throw new StartError(`${label} is not a file of ${mebibytesMax} MiB at most`);
}
