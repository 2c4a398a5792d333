import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

/** Whether JSON is an object, and neither a list nor null. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
