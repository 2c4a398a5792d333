// Control characters, those that reorder text, line and paragraph separators, and halves of a character.
const unprintable = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|\p{Cs}/gu;

/**
 * A text that no terminal takes for commands: what is not to be printed is written as `\u001b` is here, which JSON reads
 * as the same text again.
 */
export function toPrintable(text: string): string {
  return text.replace(unprintable, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
