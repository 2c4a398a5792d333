import type { JsonValue } from "@bufbuild/protobuf";
import { fromBinary, toJson } from "@bufbuild/protobuf";
import type { Event } from "../../gen/sluice/v1/event_pb.ts";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import type { OfferedEvent } from "./event.ts";
import { callLimits, eventLimits } from "./event.ts";

/** What a rejected event leaves behind. */
export interface RejectedPayload {
  /** As sent, cut; empty when it had none, or could not be read. */
  readonly environment: string;
  /** The event as JSON, or else the first of what was sent: its text, or its bytes as base64. Well-formed Unicode. */
  readonly payload: string;
}

/** Characters of a payload. */
const payloadLength = 2000;

/** What a rejected event leaves behind, for a person to read. Never throws, however broken the event is. */
export function toRejectedPayload(offered: OfferedEvent): RejectedPayload {
  if ("refusal" in offered) {
    const { environment = "", sent = "" } = offered;
    return { environment: cutName(environment), payload: cut(sent) };
  }
  try {
    const event = offered instanceof Uint8Array ? decode(offered) : offered;
    return { environment: cutName(event.environment), payload: cut(printEvent(event)) };
  } catch {
    // Three bytes are four characters: whole groups, so that it can be decoded.
    const bytes = offered instanceof Uint8Array ? offered.subarray(0, (payloadLength / 4) * 3) : [];
    return { environment: "", payload: Buffer.from(bytes).toString("base64") };
  }
}

/**
 * As much as is shown of an event that is refused as it was sent: the first 2,000 characters of its JSON, or of the text
 * that it is. Looks at no more than that, and holds on to nothing of what it is given.
 */
export function printSent(sent: JsonValue): string {
  if (typeof sent === "string") return cut(sent);
  const shown = measure(sent, payloadLength) >= 0 ? sent : shorten(sent, { left: payloadLength });
  return cut(JSON.stringify(shown));
}

/** What is left of a budget after a value; negative when that is more. Most are small, and need no copy to shorten. */
function measure(value: JsonValue, budget: number): number {
  if (typeof value === "string") return budget - value.length;
  let left = budget - 1;
  if (typeof value !== "object" || value === null) return left;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length && left >= 0; i++) left = measure(value[i] ?? null, left);
    return left;
  }
  for (const name of Object.keys(value)) {
    left -= name.length;
    // Before a look at the value, or however deep it is nested would be looked at.
    if (left < 0) break;
    left = measure(value[name] ?? null, left);
  }
  return left;
}

/** Of an environment, as much as one can be called. */
function cutName(environment: string): string {
  return environment.slice(0, eventLimits.environmentLength).toWellFormed();
}

function decode(bytes: Uint8Array): Event {
  if (bytes.length > callLimits.trackMessageBytes) throw new Error("too large to be judged, and to be shown");
  return fromBinary(EventSchema, bytes, { readUnknownFields: false });
}

function printEvent(event: Event): string {
  const short = shortenEvent(event);
  try {
    return JSON.stringify(toJson(EventSchema, short));
  } catch {
    // An infinite number or a time in the year 300,000 is perhaps why it was rejected: that must be seen, too.
    return JSON.stringify(short, (key, value: unknown) => {
      if (key === "$typeName") return undefined;
      return typeof value === "bigint" || (typeof value === "number" && !Number.isFinite(value)) ? `${value}` : value;
    });
  }
}

/** As much of an event as the payload shows, so that printing a large one costs no more than a small one. */
function shortenEvent(event: Event): Event {
  const identities: Event["identities"] = {};
  let left = payloadLength;
  for (const [kind, id] of Object.entries(event.identities)) {
    if (left <= 0) break;
    // Not by assignment: a kind may be called __proto__.
    Object.defineProperty(identities, kind.slice(0, payloadLength), {
      value: id.slice(0, payloadLength),
      enumerable: true,
    });
    left -= kind.length + id.length;
  }
  const properties = event.properties && shortenObject(event.properties, { left: payloadLength });
  return {
    ...event,
    id: event.id.slice(0, payloadLength),
    name: event.name.slice(0, payloadLength),
    environment: event.environment.slice(0, payloadLength),
    identities,
    ...(properties && { properties }),
  };
}

/** How many characters are still wanted. What is taken away is never more than what is printed. */
interface Budget {
  left: number;
}

function shorten(value: JsonValue, budget: Budget): JsonValue {
  if (typeof value === "string") {
    const text = value.slice(0, Math.max(1, budget.left));
    budget.left -= text.length;
    return text;
  }
  budget.left--;
  if (typeof value !== "object" || value === null) return value;
  if (!Array.isArray(value)) return shortenObject(value, budget);
  const items: JsonValue[] = [];
  for (const item of value) {
    if (budget.left <= 0) break;
    items.push(shorten(item, budget));
  }
  return items;
}

function shortenObject(object: { readonly [name: string]: JsonValue }, budget: Budget): { [name: string]: JsonValue } {
  const entries: [string, JsonValue][] = [];
  for (const name of Object.keys(object)) {
    if (budget.left <= 0) break;
    const shown = name.slice(0, budget.left);
    budget.left -= shown.length;
    entries.push([shown, shorten(object[name] ?? null, budget)]);
  }
  return Object.fromEntries(entries);
}

/** A cut can split a surrogate pair. */
function cut(text: string): string {
  const shown = text.length <= payloadLength ? text : `${text.slice(0, payloadLength - 1)}…`;
  return shown.toWellFormed();
}
