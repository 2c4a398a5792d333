import { nearestName } from "./nearest-name.ts";

/** Where in a file: names of fields, and indexes into lists. */
export type FaultPath = readonly PropertyKey[];

/** Something that is not as it must be. */
export interface ProjectFault {
  readonly path: FaultPath;
  /** As in "`path` …"; holds no secret. */
  readonly text: string;
}

/** The fault of a value that must be something else. What is shown of it may be what was meant for another field. */
export function wrongValue(path: FaultPath, found: unknown, expectation: string): ProjectFault {
  return {
    path,
    text: `${path.at(-1) === "secret" ? describeSecret(found) : describe(found)}; it must be ${expectation}`,
  };
}

/** The fault of a field that there is none of. */
export function unknownField(path: FaultPath, name: string, knownNames: readonly string[]): ProjectFault {
  if (!isShowable(name)) return { path, text: `has an unknown field; the known ones are ${knownNames.join(", ")}` };
  return { path: [...path, name], text: `is not a field; the nearest is ${nearestName(name, knownNames)}` };
}

/** A path such as `projects.shop.keys[0].secret`. */
export function toPathText(path: FaultPath): string {
  return path.reduce<string>((before, step) => {
    if (typeof step === "number") return `${before}[${step}]`;
    const name = String(step);
    if (!isShowable(name)) return `${before}[${describeText(name)}]`;
    return before === "" ? name : `${before}.${name}`;
  }, "");
}

function describeSecret(found: unknown): string {
  return found === undefined ? "is not set" : "is not valid";
}

function describe(found: unknown): string {
  if (found === undefined) return "is not set";
  if (typeof found === "string") return `is ${describeText(found)}`;
  if (typeof found === "number" || typeof found === "boolean") return `is ${found}`;
  if (typeof found !== "object" || found === null || Object.keys(found).length === 0) return "is empty";
  return Array.isArray(found) ? `is a list of ${found.length}` : "is a mapping";
}

/** What is longer could be a key that somebody put in the wrong place. */
const shownLengthMax = 40;

function describeText(text: string): string {
  return text.length <= shownLengthMax ? JSON.stringify(text) : `a text of ${text.length} characters`;
}

function isShowable(name: string): boolean {
  return /^\w[\w-]*$/.test(name) && name.length <= shownLengthMax;
}
