// What terminals draw two columns wide, as far as scripts and emoji go; a rare sign off by one column harms nothing.
const wide =
  /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\u3000-\u303f\uff01-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;
const zeroWidth = /^[\p{Mn}\p{Me}\p{Cf}]$/u;

/** How many columns of a terminal a text takes. The text is printable. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

/** The text in exactly so many columns: cut with an `…`, or filled up with spaces on the right. */
export function fitTo(text: string, width: number): string {
  const textWidth = widthOf(text);
  if (textWidth <= width) return text + " ".repeat(width - textWidth);
  let kept = "";
  let keptWidth = 0;
  for (const character of text) {
    if (keptWidth + characterWidth(character) > width - 1) break;
    kept += character;
    keptWidth += characterWidth(character);
  }
  return `${kept}…${" ".repeat(Math.max(0, width - 1 - keptWidth))}`;
}

function characterWidth(character: string): number {
  if (character >= " " && character <= "~") return 1;
  if (zeroWidth.test(character)) return 0;
  return wide.test(character) ? 2 : 1;
}
