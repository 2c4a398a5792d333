import type { JsonValue } from "@bufbuild/protobuf";

/** The same JSON with the keys of all its objects in the opposite order. */
export function reverseKeys(value: JsonValue): JsonValue {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(reverseKeys);
  const entries = Object.entries(value).map(([name, member]): [string, JsonValue] => [name, reverseKeys(member)]);
  return Object.fromEntries(entries.reverse());
}
