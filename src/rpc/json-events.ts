import { fromJsonString } from "@bufbuild/protobuf";
import type { Event } from "../../gen/sluice/v1/event_pb.ts";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import { SluiceError } from "../domain/errors.ts";
import type { RefusedEvent } from "../domain/event.ts";
import { callLimits } from "../domain/event.ts";
import { tooManyEvents } from "../domain/event-count.ts";
import { printSent } from "../domain/rejected-payload.ts";
import { fault } from "../domain/validate-event.ts";
import { toJsonFault } from "./json-fault.ts";

/** The field of a message that holds its event or events, and how deep in its JSON those are. */
const eventDepths: ReadonlyMap<string, number> = new Map([
  ["event", 1],
  ["events", 2],
]);

/** How many values a message may hold outside its events: fields that are not known are ignored, but parsed. */
const otherValuesMax = 1000;

/**
 * How many it may hold in all: each is parsed, made into a message and checked, in about 0.6 µs. An event has 400,000
 * at most, empty lists and the commas between them: 4 bytes of its 800 KB for both. Of many such events, 4 MiB hold
 * more only if a value has 3 characters or fewer.
 */
const valuesMax = 1_000_000;

/**
 * The JSON of a TrackRequest, a TrackManyRequest or a TrackBatchRequest with every event made a string that holds its
 * JSON, so that they can be read one by one. What is no JSON outside its events is none afterwards either.
 *
 * Throws TOO_LARGE at the first event too many, without a look at the rest: `{},` a million times costs a lot to parse.
 * So too at the first value too many, in all or beside the events.
 */
export function quoteEvents(text: string): string {
  const parts: string[] = [];
  let copied = 0;
  let depth = 0;
  let key = "";
  let count = 0;
  let values = 0;
  let others = 0;
  let eventDepth = 0;
  let eventStart = -1;

  function startEvents(start: number): void {
    if (eventDepths.get(nameOf(key)) !== depth) return;
    eventDepth = depth;
    eventStart = start;
  }

  /** At what begins a value, or comes before the next. */
  function countValue(): void {
    if (++values > valuesMax) throw new SluiceError("TOO_LARGE", `the message holds more than ${valuesMax} values`);
    if (eventStart < 0 && ++others > otherValuesMax) {
      throw new SluiceError("TOO_LARGE", `the message holds more than ${otherValuesMax} values beside its events`);
    }
  }

  function endEvent(end: number): void {
    const event = text.slice(eventStart, end).trim();
    // Nothing between two commas, or after the last one, stays what it is: not JSON. A field that is null is absent.
    if (event !== "" && !(event === "null" && depth === 1)) {
      if (++count > callLimits.messageEvents) throw tooManyEvents();
      parts.push(text.slice(copied, eventStart), JSON.stringify(event));
      copied = end;
    }
    eventStart = depth === 1 ? -1 : end + 1;
  }

  for (let i = 0; i < text.length; i++) {
    switch (text[i]) {
      case '"': {
        const end = endOfString(text, i);
        if (depth === 1) key = text.slice(i, end);
        i = end - 1;
        break;
      }
      case ":":
        if (depth === 1) startEvents(i + 1);
        break;
      case "{":
      case "[":
        depth++;
        countValue();
        if (depth === 2 && text[i] === "[") startEvents(i + 1);
        break;
      case ",":
        countValue();
        if (depth === eventDepth && eventStart >= 0) endEvent(i);
        break;
      case "}":
      case "]":
        if (depth === eventDepth && eventStart >= 0) {
          endEvent(i);
          eventStart = -1;
        }
        depth--;
    }
  }
  parts.push(text.slice(copied));
  return parts.join("");
}

/** An event from its JSON. Field names that are not known are ignored. */
export function readJsonEvent(text: string): Event | RefusedEvent {
  try {
    return fromJsonString(EventSchema, text, { ignoreUnknownFields: true });
  } catch (thrown) {
    const violation = fault("", `is not a JSON Event: ${toJsonFault(thrown)}`);
    return { refusal: { reason: "MALFORMED", violation }, sent: printSent(text) };
  }
}

/** The key that a string is; it may be escaped. */
function nameOf(quoted: string): string {
  return quoted.includes("\\") ? JSON.parse(quoted) : quoted.slice(1, -1);
}

/** The index after a string that begins at an index. Most of a message is strings, which V8 finds the ends of faster. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let escapes = end;
    while (text[escapes - 1] === "\\" && escapes - 1 > start) escapes--;
    if ((end - escapes) % 2 === 0) return end + 1;
  }
  return text.length;
}
