import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { SluiceProcess } from "./sluice-process.ts";

/** A Sluice that serves the projects of a file, for the tests of a file; gone with all of it after the last. */
export function useConfiguredSluice(projects: string, env: Record<string, string> = {}): SluiceProcess {
  const folder = mkdtempSync(join(tmpdir(), "sluice-projects-"));
  const path = join(folder, "projects.yaml");
  writeFileSync(path, projects);
  const sluice = new SluiceProcess({ ...env, SLUICE_CONFIG: path });
  beforeAll(() => sluice.start());
  afterAll(async () => {
    await sluice.remove();
    rmSync(folder, { recursive: true });
  });
  return sluice;
}
