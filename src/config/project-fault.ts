import { isName } from "../domain/configured-name.ts";
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
  const text =
    path.at(-1) === "secret" ? describeSecret(found) : describe(found, mayHoldKey(path) ? 0 : shownLengthMax);
  return { path, text: `${text}; it must be ${expectation}` };
}

/** The fault of a field that there is none of. */
export function unknownField(path: FaultPath, name: string, knownNames: readonly string[]): ProjectFault {
  if (!isShowable(name)) return { path, text: `has an unknown field; the known ones are ${knownNames.join(", ")}` };
  return { path: [...path, name], text: `is not a field; the nearest is ${nearestName(name, knownNames)}` };
}

/** A path such as `projects.shop.keys[0].secret`. */
export function toPathText(path: FaultPath): string {
  return path.reduce<string>((before, step, i) => {
    if (typeof step === "number") return `${before}[${step}]`;
    const name = String(step);
    // The name of a project is the only one that the file chooses and that comes this far.
    if (i === 1 && !isName(name) && !isShowable(name)) return `${before}[${describeText(name, shownLengthMax)}]`;
    return before === "" ? name : `${before}.${name}`;
  }, "");
}

/** What is longer could be a key that somebody put in the wrong place: those have 16 characters or more. */
const shownLengthMax = 15;

/** Where keys belong, or would be looked for, but for what is no secret by its name. */
function mayHoldKey([, , list, , field]: FaultPath): boolean {
  return list === "keys" && !openFields.includes(field);
}

const openFields: readonly unknown[] = ["name", "permissions", "environments"];

function describeSecret(found: unknown): string {
  return found === undefined ? "is not set" : "is not valid";
}

function describe(found: unknown, lengthMax: number): string {
  if (found === undefined) return "is not set";
  if (typeof found === "string") return `is ${describeText(found, lengthMax)}`;
  // A key of digits only is read as a number.
  if (typeof found === "number") return `${found}`.length <= lengthMax ? `is ${found}` : "is a number";
  if (typeof found === "boolean") return `is ${found}`;
  if (typeof found !== "object" || found === null || Object.keys(found).length === 0) return "is empty";
  return Array.isArray(found) ? `is a list of ${found.length}` : "is a mapping";
}

function describeText(text: string, lengthMax: number): string {
  return text.length <= lengthMax ? JSON.stringify(text) : `a text of ${text.length} characters`;
}

function isShowable(name: string): boolean {
  return /^\w[\w-]*$/.test(name) && name.length <= shownLengthMax;
}
