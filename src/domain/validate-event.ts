import type { JsonValue } from "@bufbuild/protobuf";
import { fromJson, toBinary } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import type { Event } from "../../gen/sluice/v1/event_pb.ts";
import { hasControlCharacter } from "./control-character.ts";
import type { Violation } from "./errors.ts";
import { eventLimits as limits } from "./event.ts";
import { isLongerThan } from "./text-length.ts";

/** What is wrong with an event, first fault only; undefined when it can be stored. Output-only fields are not looked at. */
export function validateEvent(event: Event, nowMs: number): Violation | undefined {
  return (
    checkText("id", event.id, 0, limits.idLength) ??
    checkText("name", event.name, 1, limits.nameLength) ??
    checkText("environment", event.environment, 0, limits.environmentLength) ??
    checkIdentities(event.identities) ??
    (event.time === undefined ? undefined : checkTime(event.time, nowMs)) ??
    (event.value === undefined || Number.isFinite(event.value) ? undefined : fault("value", "is not finite")) ??
    (event.properties === undefined ? undefined : checkProperties(event.properties))
  );
}

const fieldLengthMax = 256;

/** A violation, its path cut to what an error may carry. */
export function fault(field: string, message: string): Violation {
  if (field.length <= fieldLengthMax) return { field, message };
  // A cut can split a surrogate pair, and an error text that is not well-formed cannot be sent.
  return { field: `${field.slice(0, fieldLengthMax - 1).toWellFormed()}…`, message };
}

function checkText(field: string, text: string, lengthMin: number, lengthMax: number): Violation | undefined {
  if (text.length < lengthMin) return fault(field, "is required");
  if (isLongerThan(text, lengthMax)) return fault(field, `is longer than ${lengthMax} characters`);
  if (hasControlCharacter(text)) return fault(field, "holds a control character");
  if (!text.isWellFormed()) return fault(field, "is not valid Unicode");
  return undefined;
}

function checkIdentities(identities: Event["identities"]): Violation | undefined {
  const kinds = Object.keys(identities);
  if (kinds.length > limits.identityCount) return fault("identities", `has more than ${limits.identityCount} entries`);
  for (const kind of kinds) {
    if (kind === "") return fault("identities", "has an entry without a kind");
    const violation =
      checkText("identities", kind, 0, limits.identityKindLength) ??
      checkText(`identities["${kind}"]`, identities[kind] ?? "", 1, limits.identityLength);
    if (violation !== undefined) return violation;
  }
  return undefined;
}

function checkTime(time: Timestamp, nowMs: number): Violation | undefined {
  if (time.nanos < 0 || time.nanos > 999_999_999) return fault("time.nanos", "is not from 0 to 999,999,999");
  if (time.seconds < 0n) return fault("time", "is before 1970");
  const nanosMs = BigInt(Math.ceil(time.nanos / 1_000_000));
  if (time.seconds * 1000n + nanosMs > BigInt(nowMs + limits.futureMs))
    return fault("time", "is over 24 h in the future");
  return undefined;
}

function checkProperties(properties: NonNullable<Event["properties"]>): Violation | undefined {
  const names = Object.keys(properties);
  if (names.length > limits.propertyCount) return fault("properties", `has more than ${limits.propertyCount} entries`);
  for (const name of names) {
    const value = properties[name] ?? null;
    const violation =
      checkPropertyName("properties", name) ?? checkValue(value, 1, propertyPath("properties", name)) ?? undefined;
    if (violation !== undefined) return violation;
    // The bound is on the encoding, which is made only for the few values that may exceed it.
    if (bytesAtMost(value) > limits.propertyBytes && encodedBytes(value) > limits.propertyBytes) {
      return fault(propertyPath("properties", name), `is larger than ${limits.propertyBytes} bytes`);
    }
  }
  return undefined;
}

function checkPropertyName(path: string, name: string): Violation | undefined {
  if (name.length === 0) return fault(path, "has a property without a name");
  if (isLongerThan(name, limits.propertyNameLength)) {
    return fault(path, `has a property with a name longer than ${limits.propertyNameLength} characters`);
  }
  return name.isWellFormed() ? undefined : fault(path, "has a property whose name is not valid Unicode");
}

function checkValue(value: JsonValue, depth: number, path: string): Violation | undefined {
  if (depth > limits.propertyDepth) return fault(path, `is nested deeper than ${limits.propertyDepth}`);
  if (typeof value === "string") return value.isWellFormed() ? undefined : fault(path, "is not valid Unicode");
  if (typeof value === "number") return Number.isFinite(value) ? undefined : fault(path, "is not finite");
  if (typeof value !== "object" || value === null) return undefined;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const violation = checkValue(value[i] ?? null, depth + 1, `${path}[${i}]`);
      if (violation !== undefined) return violation;
    }
    return undefined;
  }
  for (const name of Object.keys(value)) {
    const violation =
      checkNestedName(path, name) ?? checkValue(value[name] ?? null, depth + 1, propertyPath(path, name));
    if (violation !== undefined) return violation;
  }
  return undefined;
}

function checkNestedName(path: string, name: string): Violation | undefined {
  return name.isWellFormed() ? undefined : fault(path, "has a property whose name is not valid Unicode");
}

function propertyPath(path: string, name: string): string {
  return `${path}.${name}`;
}

/** An upper bound of a value's encoded size, without encoding it: 3 bytes a UTF-16 unit, and the framing around it. */
function bytesAtMost(value: JsonValue): number {
  const framing = 16;
  if (typeof value === "string") return framing + 3 * value.length;
  if (typeof value !== "object" || value === null) return framing;
  let sum = framing;
  if (Array.isArray(value)) {
    for (const item of value) sum += bytesAtMost(item);
    return sum;
  }
  for (const name of Object.keys(value)) sum += framing + 3 * name.length + bytesAtMost(value[name] ?? null);
  return sum;
}

function encodedBytes(value: JsonValue): number {
  return toBinary(ValueSchema, fromJson(ValueSchema, value)).length;
}
