import type { JsonValue } from "@bufbuild/protobuf";
import { toJson } from "@bufbuild/protobuf";
import type { Event } from "../../gen/sluice/v1/event_pb.ts";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import { toPrintable } from "./printable.ts";

/** Events in Sluice's JSON form, one a line. */
export function formatEventLines(events: readonly Event[]): string {
  return events.map((event) => formatJson(toJson(EventSchema, event))).join("");
}

/** JSON in a line, or in several, indented. No line holds a control character. */
export function formatJson(value: JsonValue, { isIndented = false } = {}): string {
  // JSON itself lets pass what some terminals take for a command, such as U+009B.
  const lines = JSON.stringify(value, undefined, isIndented ? 2 : undefined).split("\n");
  return `${lines.map(toPrintable).join("\n")}\n`;
}
