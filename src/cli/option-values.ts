import { InvalidArgumentError } from "commander";
import type { Permission } from "../domain/access.ts";
import { permissions } from "../domain/access.ts";
import { environmentExpectation, isEnvironment, isName, nameExpectation } from "../domain/configured-name.ts";

// What options' values are read with. Each throws an InvalidArgumentError that says what the value must be.

/** A whole number from 1 on. */
export function parseCount(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1 || !Number.isSafeInteger(count)) {
    throw new InvalidArgumentError("It must be a whole number from 1 on.");
  }
  return count;
}

export function parsePageSize(text: string): number {
  const size = parseCount(text);
  if (size > 1000) throw new InvalidArgumentError("It must be 1000 at most.");
  return size;
}

export function parseCursor(text: string): string {
  // An empty one would be taken for none at all.
  if (text !== "") return text;
  throw new InvalidArgumentError("It must be a cursor, such as --json prints with each event.");
}

/** A second one would take the place of the first without a word. */
export function parseOneCursor(text: string, before?: string): string {
  if (before !== undefined) throw new InvalidArgumentError("One cursor can be given.");
  return parseCursor(text);
}

export function parseName(text: string): string {
  if (isName(text)) return text;
  throw new InvalidArgumentError(`It must be ${nameExpectation}.`);
}

export function parsePermissions(text: string): Permission[] {
  const words = text.split(",");
  const known = permissions.filter((permission) => words.includes(permission));
  if (known.length === words.length) return known;
  throw new InvalidArgumentError(`It must be some of ${permissions.join(",")}, each once.`);
}

export function parseEnvironments(text: string): string[] {
  const environments = text.split(",");
  if (environments.every(isEnvironment) && new Set(environments).size === environments.length) return environments;
  throw new InvalidArgumentError(`Each must be ${environmentExpectation}, and named once.`);
}
