import type { Permission } from "../domain/access.ts";
import { toDurationText } from "../domain/duration-text.ts";
import type { ProjectSettings } from "../domain/project.ts";
import { toPrintable } from "./printable.ts";

/** A file of projects, as the command line sees it. */
export interface ConfiguredProjects {
  readonly path: string;
  readonly projects: readonly ConfiguredProject[];
}

interface ConfiguredProject {
  readonly name: string;
  readonly settings: ProjectSettings;
  readonly keys: readonly {
    readonly name: string;
    readonly permissions: readonly Permission[];
    readonly environments: readonly string[];
  }[];
}

export interface CheckConfigDeps {
  /** Throws StartError, with a line for each fault. */
  readProjects(): Promise<ConfiguredProjects | undefined>;
  /** Resolves when it is printed. */
  print(text: string): Promise<void>;
  tell(line: string): void;
}

/** Reads a file of projects, and says in short what it configures. Returns the exit code. Rejects with its faults. */
export async function checkConfig({ readProjects, print, tell }: CheckConfigDeps): Promise<number> {
  const file = await readProjects();
  if (file === undefined) {
    tell("sluice: which file? Name it, or set SLUICE_CONFIG");
    return 1;
  }
  await print(`${file.path} is sound\n${file.projects.map((project) => `\n${describe(project)}`).join("")}`);
  return 0;
}

function describe({ name, settings, keys }: ConfiguredProject): string {
  const { environments, identityKinds, rateLimits, eventsMax, dedupeWindowMs } = settings;
  const { retentionMs, indexedProperties } = settings;
  const limits = rateLimits.map(({ events, perMs }) => `${events} per ${toDurationText(perMs)}`);
  const rows = [
    ["environments", listOr("any", environments)],
    ["identity kinds", listOr("any", identityKinds)],
    ["rate limits", listOr("none", limits)],
    ["max events", eventsMax ?? "no limit"],
    ["dedupe window", toDurationText(dedupeWindowMs)],
    ["retention", retentionMs === undefined ? "for ever" : toDurationText(retentionMs)],
    ["indexed properties", listOr("none", indexedProperties)],
    ...keys.map((key) => [`key ${key.name}`, describeKey(key)]),
  ] as const;
  const width = Math.max(...rows.map(([label]) => label.length));
  return `${name}\n${rows.map(([label, text]) => `  ${label.padEnd(width)}  ${text}\n`).join("")}`;
}

function describeKey({ permissions, environments }: ConfiguredProject["keys"][number]): string {
  return `${permissions.join(", ")}${environments.length > 0 ? ` in ${toPrintable(environments.join(", "))}` : ""}`;
}

function listOr(none: string, words: readonly string[]): string {
  return words.length === 0 ? none : toPrintable(words.join(", "));
}
