// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the point
const controlCharacter = /[\u0000-\u001f\u007f-\u009f]/;

/** Whether a text holds a control character, which is refused wherever a text names something. */
export function hasControlCharacter(text: string): boolean {
  return controlCharacter.test(text);
}
