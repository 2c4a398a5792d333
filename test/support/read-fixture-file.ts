import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const folder = join(import.meta.dirname, "../fixtures/dialects");

/** The text of a file in a dialect's folder of fixtures; undefined where there is none. */
export function readFixtureFile(entrance: string, file: string): string | undefined {
  const path = join(folder, entrance, file);
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}
