import { execFileSync } from "node:child_process";
import { accessSync, constants, globSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Where a program is: on the PATH, or in the last of the folders that match. Undefined when it is nowhere. */
export function findProgram(name: string, folders = ""): string | undefined {
  const onPath = (process.env.PATH ?? "").split(delimiter);
  const paths = [...onPath, "/usr/sbin", ...globSync(folders).sort().reverse()].map((folder) => join(folder, name));
  return paths.find(isExecutable);
}

/** A program's version, such as `15.14`. */
export function versionOf(program: string): string {
  const said = execFileSync(program, ["--version"]).toString();
  return /\d+(\.\d+)+/.exec(said)?.[0] ?? said.trim();
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
