import type { WireReader } from "./wire-reader.ts";

/** Texts in UTF-8, shorter ones first, those of one length by their bytes: an event's list may be held against them. */
export type TextSet = readonly Uint8Array[];

/** The set of these texts. */
export function toTextSet(texts: Iterable<string>): TextSet {
  return Array.from(new Set(texts), (text) => encoder.encode(text)).sort(
    (a, b) => a.length - b.length || Buffer.compare(a, b),
  );
}

/** Whether the text from where the reader is to this end is one of a set. */
export function isTextIn(reader: WireReader, end: number, texts: TextSet): boolean {
  let low = 0;
  let high = texts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const text = texts[middle];
    const order = text === undefined ? 0 : compare(reader, end, text);
    if (order === 0) return true;
    if (order < 0) high = middle;
    else low = middle + 1;
  }
  return false;
}

function compare({ bytes, pos }: WireReader, end: number, text: Uint8Array): number {
  const length = end - pos;
  if (length !== text.length) return length - text.length;
  for (let i = 0; i < length; i++) {
    const difference = (bytes[pos + i] ?? 0) - (text[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

const encoder = new TextEncoder();
