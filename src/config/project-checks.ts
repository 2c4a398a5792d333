import type { z } from "zod";
import { parseDuration } from "../domain/duration.ts";
import { toDurationText } from "../domain/duration-text.ts";
import { settingDefaults } from "../domain/project.ts";
import type { FaultPath, ProjectFault } from "./project-fault.ts";
import { toPathText, wrongValue } from "./project-fault.ts";
import { dedupeWindowSchema, isMapping, retentionSchema } from "./project-schema.ts";

// These look at the file as it was read, and past whatever is not as it must be: a fault elsewhere hides none of theirs.

/** What the fields of one project must be together. */
export function checkProject(path: FaultPath, project: unknown): ProjectFault[] {
  const keys = toList(fieldOf(project, "keys"));
  const environments = new Set(toList(fieldOf(project, "environments")));
  return [
    ...["environments", "identityKinds", "indexedProperties"].flatMap((name) =>
      checkUnique([...path, name], toList(fieldOf(project, name))),
    ),
    ...checkPeriods([...path, "rateLimits"], toList(fieldOf(project, "rateLimits"))),
    ...checkRetention(path, project),
    ...checkKeyNames([...path, "keys"], keys),
    ...keys.flatMap((key, i) => checkKey([...path, "keys", i], key, environments)),
  ];
}

/** A secret opens one project, and is one key. */
export function checkSecrets(projects: Record<string, unknown>): ProjectFault[] {
  const firstPaths = new Map<string, string>();
  const faults: ProjectFault[] = [];
  for (const [name, project] of Object.entries(projects)) {
    toList(fieldOf(project, "keys")).forEach((key, i) => {
      const secret = fieldOf(key, "secret");
      if (typeof secret !== "string") return;
      const path = ["projects", name, "keys", i, "secret"];
      const first = firstPaths.get(secret.toLowerCase());
      if (first === undefined) firstPaths.set(secret.toLowerCase(), toPathText(path));
      else faults.push({ path, text: `is that of ${first} too; it must be one that no other key has` });
    });
  }
  return faults;
}

function checkUnique(path: FaultPath, values: readonly unknown[]): ProjectFault[] {
  return repeatedIndexes(values).map((i) => wrongValue([...path, i], values[i], "in the list only once"));
}

function checkPeriods(path: FaultPath, limits: readonly unknown[]): ProjectFault[] {
  const periods = limits.map((limit) => fieldOf(limit, "per"));
  const periodsMs = periods.map((per) => (typeof per === "string" ? parseDuration(per) : undefined));
  return repeatedIndexes(periodsMs).map((i) =>
    wrongValue([...path, i, "per"], periods[i], "another duration than those of the other limits"),
  );
}

function checkRetention(path: FaultPath, project: unknown): ProjectFault[] {
  const retention = fieldOf(project, "retention");
  const retentionMs = parsedBy(retentionSchema, retention);
  const windowMs = parsedBy(dedupeWindowSchema, fieldOf(project, "dedupeWindow") ?? toDurationText(defaultWindowMs));
  if (retentionMs === undefined || windowMs === undefined || retentionMs >= 2 * windowMs) return [];
  const least = `${toDurationText(2 * windowMs)} or more: twice the dedupeWindow`;
  return [wrongValue([...path, "retention"], retention, least)];
}

const defaultWindowMs = settingDefaults.dedupeWindowMs;

function checkKeyNames(path: FaultPath, keys: readonly unknown[]): ProjectFault[] {
  const names = keys.map((key) => fieldOf(key, "name"));
  return repeatedIndexes(names).map((i) =>
    wrongValue([...path, i, "name"], names[i], "a name that no other key of the project has"),
  );
}

function checkKey(path: FaultPath, key: unknown, ofProject: ReadonlySet<unknown>): ProjectFault[] {
  const environments = toList(fieldOf(key, "environments"));
  const permissions = toList(fieldOf(key, "permissions"));
  const foreign = environments.flatMap((one, i) =>
    typeof one === "string" && ofProject.size > 0 && !ofProject.has(one)
      ? [wrongValue([...path, "environments", i], one, "one of the project's environments")]
      : [],
  );
  return [
    ...checkUnique([...path, "permissions"], permissions),
    ...checkUnique([...path, "environments"], environments),
    ...foreign,
  ];
}

/** Of the values that equal one before them, undefined aside. */
function repeatedIndexes(values: readonly unknown[]): number[] {
  const seen = new Set<unknown>();
  return values.flatMap((value, i) => {
    if (value === undefined) return [];
    const isRepeated = seen.has(value);
    seen.add(value);
    return isRepeated ? [i] : [];
  });
}

function parsedBy<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> | undefined {
  return schema.safeParse(value).data;
}

function fieldOf(value: unknown, name: string): unknown {
  return isMapping(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

function toList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
