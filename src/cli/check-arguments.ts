import { StartError } from "../domain/start-error.ts";
import { toPrintable } from "./printable.ts";

/**
 * Throws StartError when an argument was not UTF-8: what it was is lost by then, U+FFFD standing in its place, and would
 * be looked for as such.
 */
export function checkArguments(args: readonly string[]): void {
  const broken = args.find((argument) => argument.includes("\ufffd"));
  if (broken !== undefined) throw new StartError(`an argument is not UTF-8: ${toPrintable(broken)}`);
}
