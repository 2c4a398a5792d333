import { hasControlCharacter } from "./control-character.ts";
import { eventLimits } from "./event.ts";

/** What a project or a key may be called, for a person to read. */
export const nameExpectation = "1 to 64 of a-z, 0-9, _ and -, beginning with a letter or a digit";

/** Whether a project or a key may be called so. A project's name becomes a part of keys in Redis. */
export function isName(text: string): boolean {
  return /^[a-z0-9][a-z0-9_-]{0,63}$/.test(text);
}

/** What an environment may be called, for a person to read. */
export const environmentExpectation = `1 to ${eventLimits.environmentLength} characters, none of them a control character`;

/** Whether an environment may be called so: as an event may name it. */
export function isEnvironment(text: string): boolean {
  return isText(text, eventLimits.environmentLength);
}

/** Whether a text is well-formed, has 1 to so many characters, and none that is a control character. */
export function isText(text: string, lengthMax: number): boolean {
  const isLengthRight = text.length > 0 && text.length <= 2 * lengthMax && [...text].length <= lengthMax;
  return isLengthRight && text.isWellFormed() && !hasControlCharacter(text);
}
