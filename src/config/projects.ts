import type { Grant } from "../domain/access.ts";
import { digestKey, permissions } from "../domain/access.ts";
import type { Project, ProjectSettings } from "../domain/project.ts";
import { settingDefaults } from "../domain/project.ts";
import type { ConfiguredKey, ConfiguredProject } from "./project-file.ts";

/** The projects that are served, and the keys that open them. */
export interface Projects {
  /** What each key opens, by the key's digest. Another map once they were replaced. */
  readGrants(): ReadonlyMap<string, Grant>;
  /** Those that are served now. Another list once they were replaced. */
  readProjects(): readonly Project[];
  /**
   * Serves these instead, at once and all together, and returns what that changes, in words. A project is the same object
   * for ever; one that is gone only loses its keys, so that what its callers have begun goes on.
   */
  replace(configured: readonly ConfiguredProject[]): string[];
}

/** The only project when none is configured: it has the default settings, and one key that may do everything. */
export function developmentProject(key: string): ConfiguredProject {
  return {
    name: "dev",
    settings: settingDefaults,
    keys: [{ name: "dev", digest: digestKey(key), permissions, environments: [] }],
  };
}

/** The projects that are served from the start on. */
export function createProjects(configured: readonly ConfiguredProject[]): Projects {
  const projects = new Map<string, { -readonly [Field in keyof Project]: Project[Field] }>();
  let served: readonly ConfiguredProject[] = [];
  let grants: ReadonlyMap<string, Grant> = new Map();
  let current: readonly Project[] = [];

  function apply({ name, settings }: ConfiguredProject): Project {
    const known = projects.get(name);
    if (known === undefined) {
      const project = { name, settings };
      projects.set(name, project);
      return project;
    }
    // The same object says that nothing has changed.
    if (changedSettings(known.settings, settings).length > 0) known.settings = settings;
    return known;
  }

  function replace(next: readonly ConfiguredProject[]): string[] {
    const changes = describeChanges(served, next);
    served = next;
    const applied = next.map((one) => ({ project: apply(one), keys: one.keys }));
    current = applied.map(({ project }) => project);
    grants = new Map(
      applied.flatMap(({ project, keys }) => keys.map((key): [string, Grant] => [key.digest, toGrant(project, key)])),
    );
    return changes;
  }

  replace(configured);
  return { readGrants: () => grants, readProjects: () => current, replace };
}

function toGrant(project: Project, key: ConfiguredKey): Grant {
  return {
    project,
    keyName: key.name,
    permissions: new Set(key.permissions),
    environments: key.environments,
  };
}

function describeChanges(before: readonly ConfiguredProject[], after: readonly ConfiguredProject[]): string[] {
  return [
    ...added(before, after).map(({ name }) => `project ${name} added`),
    ...added(after, before).map(({ name }) => `project ${name} removed`),
    ...kept(before, after).flatMap(([old, now]) => {
      const settings = changedSettings(old.settings, now.settings);
      const settingChange = settings.length > 0 ? [`project ${now.name} changed: ${settings.join(", ")}`] : [];
      return [...settingChange, ...describeKeyChanges(now.name, old.keys, now.keys)];
    }),
  ];
}

function describeKeyChanges(
  project: string,
  before: readonly ConfiguredKey[],
  after: readonly ConfiguredKey[],
): string[] {
  return [
    ...added(before, after).map(({ name }) => `key ${name} of ${project} added`),
    ...added(after, before).map(({ name }) => `key ${name} of ${project} removed`),
    ...kept(before, after).flatMap(([old, now]) => {
      const fields = keyFields.filter(([field]) => !isEqual(old[field], now[field])).map(([, word]) => word);
      return fields.length > 0 ? [`key ${now.name} of ${project} changed: ${fields.join(", ")}`] : [];
    }),
  ];
}

const keyFields = [
  ["digest", "secret"],
  ["permissions", "permissions"],
  ["environments", "environments"],
] as const;

/** What the file calls them. */
const settingWords: Record<keyof ProjectSettings, string> = {
  environments: "environments",
  identityKinds: "identityKinds",
  rateLimits: "rateLimits",
  eventsMax: "maxEvents",
  dedupeWindowMs: "dedupeWindow",
  retentionMs: "retention",
  indexedProperties: "indexedProperties",
};

function changedSettings(before: ProjectSettings, after: ProjectSettings): string[] {
  return (Object.keys(settingWords) as (keyof ProjectSettings)[])
    .filter((field) => !isEqual(before[field], after[field]))
    .map((field) => settingWords[field]);
}

interface Named {
  readonly name: string;
}

function added<T extends Named>(before: readonly T[], after: readonly T[]): T[] {
  const names = new Set(before.map(({ name }) => name));
  return after.filter(({ name }) => !names.has(name));
}

function kept<T extends Named>(before: readonly T[], after: readonly T[]): [old: T, now: T][] {
  const byName = new Map(before.map((one) => [one.name, one]));
  return after.flatMap((now): [T, T][] => {
    const old = byName.get(now.name);
    return old === undefined ? [] : [[old, now]];
  });
}

function isEqual(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
