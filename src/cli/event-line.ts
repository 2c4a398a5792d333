import { isUtf8 } from "node:buffer";
import type { JsonValue } from "@bufbuild/protobuf";
import { fromJson, toBinary } from "@bufbuild/protobuf";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import { assignId, eventLimits } from "../domain/event.ts";
import { toPrintable } from "./printable.ts";

/** An event read from a line, ready to be sent, or what is wrong with the line. */
export type EventLine =
  | { readonly kind: "event"; readonly bytes: Uint8Array; readonly hasOwnId: boolean }
  | { readonly kind: "invalid"; readonly reason: string };

/**
 * Reads an event in Sluice's JSON form. A field that Sluice does not know is a fault, so that a misspelt one is seen.
 * An event without an id is given one, so that it can be sent again; with `freshId`, every event is.
 *
 * @example parseEventLine(Buffer.from('{"name":"signup"}'), false) // { kind: "event", hasOwnId: false, … }
 */
export function parseEventLine(line: Buffer, freshId: boolean): EventLine {
  if (!isUtf8(line)) return invalid("is not UTF-8");
  const json = parseJson(line.toString("utf8"));
  if (json.kind === "invalid") return json;
  try {
    const event = fromJson(EventSchema, json.value);
    const hasOwnId = event.id !== "" && !freshId;
    if (!hasOwnId) event.id = assignId();
    const bytes = toBinary(EventSchema, event);
    // The server would refuse the whole message.
    if (bytes.length >= eventLimits.eventBytes) return invalid(`is not smaller than ${eventLimits.eventBytes} bytes`);
    return { kind: "event", bytes, hasOwnId };
  } catch (error) {
    return invalid(`is not an event: ${withoutPreamble(messageOf(error))}`);
  }
}

function parseJson(text: string): { kind: "json"; value: JsonValue } | Extract<EventLine, { kind: "invalid" }> {
  try {
    return { kind: "json", value: JSON.parse(text) };
  } catch (error) {
    return invalid(`is not JSON: ${messageOf(error)}`);
  }
}

function invalid(reason: string): Extract<EventLine, { kind: "invalid" }> {
  const printable = toPrintable(reason);
  return { kind: "invalid", reason: printable.length > 300 ? `${printable.slice(0, 299)}…` : printable };
}

function withoutPreamble(message: string): string {
  return message.replace(
    /^cannot decode (?:message sluice\.v1\.Event from JSON: |field sluice\.v1\.Event\.(\S+) from JSON)/,
    "$1",
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
