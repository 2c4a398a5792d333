import type { Grant } from "../../src/domain/access.ts";
import { digestKey, permissions } from "../../src/domain/access.ts";
import type { Project } from "../../src/domain/project.ts";

/** The key that may do everything in the test project. */
export const testKey = "a-key-for-tests-only";

/** Keys that may do less. */
export const lesserKeys = {
  track: "a-key-that-tracks",
  list: "a-key-that-lists",
  nothing: "a-key-for-nothing",
  /** Bound to an environment. */
  production: "a-key-for-production",
} as const;

/** What the test keys open, by digest. */
export function testGrants(project: Project): Map<string, Grant> {
  const all = new Set(permissions);
  const grants: [key: string, grant: Grant][] = [
    [testKey, { project, keyName: "all", permissions: all, environments: [] }],
    [lesserKeys.track, { project, keyName: "tracker", permissions: new Set(["track"]), environments: [] }],
    [lesserKeys.list, { project, keyName: "lister", permissions: new Set(["list"]), environments: [] }],
    [lesserKeys.nothing, { project, keyName: "nothing", permissions: new Set(), environments: [] }],
    [lesserKeys.production, { project, keyName: "production", permissions: all, environments: ["production"] }],
  ];
  return new Map(grants.map(([key, grant]) => [digestKey(key), grant]));
}
