import type { JsonValue } from "@bufbuild/protobuf";

/** Deeper than any event may be. Stacks are finite. */
const depthMax = 64;

/**
 * The one text of all JSON that means the same, whatever the order of its keys; other values have other texts. What is
 * nested deeper than 64 is left out.
 */
export function canonicalJson(value: JsonValue): string {
  return print(value, 0);
}

function print(value: JsonValue, depth: number): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (depth > depthMax) return "";
  if (Array.isArray(value)) return `[${value.map((item) => print(item, depth + 1)).join(",")}]`;
  const members = Object.keys(value)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${print(value[name] ?? null, depth + 1)}`);
  return `{${members.join(",")}}`;
}
