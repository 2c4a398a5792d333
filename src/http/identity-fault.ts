import type { JsonValue } from "@bufbuild/protobuf";

/** Why a value cannot be the id of someone, as its text; undefined when it can. */
export function findIdentityFault(id: JsonValue | undefined): string | undefined {
  if (id === undefined || id === null) return "is required";
  if (typeof id === "string") return id === "" ? "is empty" : undefined;
  if (typeof id !== "number") return "is neither a text nor a number";
  // Two with such numbers could be read as one.
  return Math.abs(id) > Number.MAX_SAFE_INTEGER ? "is a number too large to be exact: send it as a text" : undefined;
}
