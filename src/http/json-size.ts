import type { JsonValue } from "@bufbuild/protobuf";

/**
 * Whether JSON takes more than so many bytes, printed without spaces in UTF-8. Looks at no more of it than that, and
 * however deep it is nested, it never throws, as `JSON.stringify` does.
 */
export function isJsonLargerThan(value: JsonValue, bytesMax: number): boolean {
  let left = bytesMax;
  const pending: JsonValue[] = [value];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (typeof next !== "object" || next === null) {
      left -= scalarBytes(next, left);
    } else if (Array.isArray(next)) {
      left -= bracketBytes(next.length);
      // Each takes a byte at least, so this list is never longer than the size that is asked for.
      if (left < next.length) return true;
      for (const item of next) pending.push(item);
    } else {
      const names = Object.keys(next);
      left -= bracketBytes(names.length);
      if (left < names.length) return true;
      for (const name of names) {
        left -= scalarBytes(name, left) + 1;
        pending.push(next[name] ?? null);
      }
    }
    if (left < 0) return true;
  }
  return false;
}

/** The brackets, and the commas between so many members. */
function bracketBytes(count: number): number {
  return 2 + Math.max(0, count - 1);
}

/** Of a text that is longer than what is left, only that it is. */
function scalarBytes(value: string | number | boolean | null, left: number): number {
  if (typeof value !== "string") return JSON.stringify(value).length;
  return value.length > left ? value.length + 2 : Buffer.byteLength(JSON.stringify(value));
}
