import { createHash } from "node:crypto";
import type { z } from "zod";
import type { Permission } from "../domain/access.ts";
import { isName, nameExpectation } from "../domain/configured-name.ts";
import type { ProjectSettings } from "../domain/project.ts";
import { StartError } from "../domain/start-error.ts";
import { readSmallFile } from "../files/read-small-file.ts";
import { checkProject, checkSecrets } from "./project-checks.ts";
import type { FaultPath, ProjectFault } from "./project-fault.ts";
import { toPathText, unknownField, wrongValue } from "./project-fault.ts";
import { fileSchema, isMapping, projectSchema } from "./project-schema.ts";
import { decodeYaml, parseYaml } from "./yaml-text.ts";

/** The projects that a file configures. Frozen. */
export interface ProjectFile {
  /** In the order of the file; each has another name. */
  readonly projects: readonly ConfiguredProject[];
  /** Of the text; tells one version of the file from another. */
  readonly textDigest: string;
}

export interface ConfiguredProject {
  readonly name: string;
  readonly settings: ProjectSettings;
  /** One or more; each has another name and another secret. */
  readonly keys: readonly ConfiguredKey[];
}

export interface ConfiguredKey {
  readonly name: string;
  /** SHA-256 of the key, in lower-case hex. */
  readonly digest: string;
  readonly permissions: readonly Permission[];
  /** Those that the key is bound to; empty: none, so it may use all of the project's. */
  readonly environments: readonly string[];
}

/** Room for ten thousand projects, whose parsing holds up calls for two seconds. */
const mebibytesMax = 4;

/** Reads a file of projects. Throws StartError, with a line for each fault. */
export function readProjectFile(path: string): ProjectFile {
  return parseProjectFile(decodeYaml(readSmallFile(path, `${path}:`, mebibytesMax), path), path);
}

/** Reads the text of such a file; `source` is what faults call it. Throws StartError, with a line for each fault. */
export function parseProjectFile(text: string, source: string): ProjectFile {
  const read = parseYaml(text, source);
  const whole = fileSchema.safeParse(read);
  const given = isMapping(read) && isMapping(read.projects) ? read.projects : {};
  const parsed = Object.entries(given).map(([name, value]) => parseProject(name, value));
  const faults = [
    whole.success ? [] : toFaults([], whole.error, read),
    ...parsed.map((project) => project.faults),
    checkSecrets(given),
  ].flat();
  if (faults.length > 0) throw new StartError(toLines(faults, source).join("\n"));
  const projects = parsed.flatMap(({ project }) => project ?? []);
  return deepFreeze({
    projects: projects.map(toConfigured),
    textDigest: createHash("sha256").update(text).digest("hex"),
  });
}

interface NamedProject extends z.output<typeof projectSchema> {
  readonly name: string;
}

function parseProject(name: string, value: unknown): { faults: ProjectFault[]; project?: NamedProject } {
  const path = ["projects", name];
  const parsed = projectSchema.safeParse(value);
  const faults = [
    isName(name) ? [] : [{ path, text: `is not a name for a project; it must be ${nameExpectation}` }],
    parsed.success ? [] : toFaults(path, parsed.error, value),
    checkProject(path, value),
  ].flat();
  return parsed.success ? { faults, project: { name, ...parsed.data } } : { faults };
}

function toConfigured({ name, ...project }: NamedProject): ConfiguredProject {
  const { environments = [], identityKinds = [], indexedProperties = [], rateLimits = [] } = project;
  const { maxEvents, dedupeWindow, retention, keys } = project;
  return {
    name,
    settings: {
      environments,
      identityKinds,
      rateLimits: rateLimits.map(({ events, per }) => ({ events, perMs: per })),
      eventsMax: maxEvents,
      dedupeWindowMs: dedupeWindow,
      retentionMs: retention,
      indexedProperties,
    },
    keys: keys.map(({ secret, environments: boundTo = [], ...key }) => ({
      ...key,
      digest: secret,
      environments: boundTo,
    })),
  };
}

function toFaults(path: FaultPath, { issues }: z.ZodError, value: unknown): ProjectFault[] {
  return issues.flatMap((issue) => {
    const at = [...path, ...issue.path];
    if (issue.code !== "unrecognized_keys") return [wrongValue(at, lookUp(value, issue.path), issue.message)];
    return issue.keys.map((name) => unknownField(at, name, issue.message.split(" ")));
  });
}

function lookUp(value: unknown, path: FaultPath): unknown {
  return path.reduce((found: unknown, step) => {
    if (typeof found !== "object" || found === null) return undefined;
    return Object.getOwnPropertyDescriptor(found, step)?.value;
  }, value);
}

function toLines(faults: readonly ProjectFault[], source: string): string[] {
  const lines = faults.map(
    ({ path, text }) => `${source}: ${path.length === 0 ? "the file" : toPathText(path)} ${text}`,
  );
  return [...new Set(lines)];
}

function deepFreeze<T extends object>(value: T): Readonly<T> {
  for (const inner of Object.values(value)) if (typeof inner === "object" && inner !== null) deepFreeze(inner);
  return Object.freeze(value);
}
