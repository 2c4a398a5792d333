import { readFileSync, statSync } from "node:fs";
import { StartError } from "../domain/start-error.ts";
import { errorCode } from "./error-code.ts";

const fileBytesMax = 1 << 20;

/** The content of a file of 1 MiB at most; `label` is what faults call it. Throws StartError. */
export function readSmallFile(path: string, label: string): Buffer {
  try {
    const stats = statSync(path);
    // A pipe or a device might never end.
    if (stats.isFile() && stats.size <= fileBytesMax) return readFileSync(path);
  } catch (error) {
    throw new StartError(`${label} cannot be read (${errorCode(error)})`);
  }
  throw new StartError(`${label} is not a file of 1 MiB at most`);
}
