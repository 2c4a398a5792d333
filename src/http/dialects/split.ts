import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { hasControlCharacter } from "../../domain/control-character.ts";
import { SluiceError } from "../../domain/errors.ts";
import type { OfferedEvent } from "../../domain/event.ts";
import type { EventOutcome } from "../../domain/outcome.ts";
import type { Quota } from "../../domain/quota.ts";
import { tightestOf } from "../../domain/quota.ts";
import type { Dialect, Offer, Reply, TrackRequest } from "../dialect.ts";
import { findIdentityFault } from "../identity-fault.ts";
import { isJsonObject } from "../is-json-object.ts";
import { newEvent } from "../new-event.ts";
import { offerOne, refuseEvent } from "../offer-one.ts";
import { parseTimestamp } from "../parse-timestamp.ts";
import type { Refusal } from "../refusal.ts";
import { refusalText } from "../refusal-text.ts";
import { renameField } from "../rename-field.ts";
import { timestampNotice } from "../timestamp-notice.ts";

/*
 * Split (Harness FME): "Create event" and "Sending Event Data",
 * https://docs.split.io/reference/events-overview, https://docs.split.io/reference/create-event;
 * limits as the vendor's SDKs have them (@splitsoftware/splitio-commons 2.12, src/utils/inputValidation).
 *
 * An event's trafficTypeName and key are an identity, kind and id; eventTypeId is its name.
 *
 * Differences:
 * - An `Idempotency-Key` makes a retry safe; at the vendor, the same data twice is two events.
 * - A list with events that are not stored is answered 207, or 400 if none is, and names them; the vendor says 202.
 * - eventTypeId has up to 80 characters, `:` among them, as the SDKs allow; the vendor's text gives two other rules.
 * - timestamp may be milliseconds or seconds, a number or a text, as the two documents have it; it may be left out.
 * - At most 300 properties, each 16 KiB; the SDKs only warn above 300.
 * - Traffic types and environments need not exist, unless the project lists `identityKinds` and `environments`.
 */

const eventTypeForm = /^[a-zA-Z0-9][-_.:a-zA-Z0-9]{0,79}$/;
const keyLengthMax = 250;

/** As the SDKs measure them: two bytes a character, 8 a number, 4 a boolean, beside the event's own kilobyte. */
const propertyBytesMax = 31 * 1024;

/** Of a list; 6 MiB of real events are fewer. */
const eventsMax = 50_000;

/** Split's events API, of its documents and its SDKs. */
export const split: Dialect = {
  entrance: "split",
  endpoints: [
    {
      kind: "track",
      name: "split/events",
      method: "POST",
      path: "/api/events",
      bodyBytesMax: 1 << 20,
      read(request) {
        const notices = new Set<string>();
        const event = readEvent(request.body, request.eventId(0), notices);
        return offerOne(event, [...notices], () => ({ status: 202 }));
      },
    },
    {
      kind: "track",
      name: "split/events/bulk",
      method: "POST",
      path: "/api/events/bulk",
      bodyBytesMax: 6 << 20,
      read: (request) => offerList(request.body, request, { status: 202 }),
    },
    {
      kind: "track",
      name: "split/events/beacon",
      method: "POST",
      path: "/api/events/beacon",
      bodyBytesMax: 64 << 10,
      keyInBody: (body) => (isJsonObject(body) && typeof body.token === "string" ? body.token : undefined),
      read: (request) => offerList(isJsonObject(request.body) ? request.body.entries : null, request, { status: 204 }),
    },
  ],

  fieldName: (field) =>
    renameField(field.replace(/^identities\[.*/s, "identities"), {
      id: "Idempotency-Key",
      name: "eventTypeId",
      identities: "trafficTypeName",
      time: "timestamp",
      environment: "environmentName",
    }),

  refuse: (refusal: Refusal): Reply => {
    const { status, violations } = refusal;
    // As the vendor's own proxy does it.
    if (status === 401) return { status };
    const [violation] = violations;
    return {
      status,
      body: { code: status, message: refusalText(refusal), ...(violation && { field: violation.field }) },
    };
  },

  quotaHeaders(quotas): Record<string, string> {
    const tightest: Quota | undefined = tightestOf(quotas);
    if (tightest === undefined) return {};
    const remaining = String(tightest.remaining);
    const reset = String(Math.ceil(tightest.resetAfterMs / 1000));
    return {
      "x-ratelimit-remaining-org": remaining,
      "x-ratelimit-remaining-ip": remaining,
      "x-ratelimit-reset-seconds-org": reset,
      "x-ratelimit-reset-seconds-ip": reset,
    };
  },
};

function offerList(list: JsonValue | undefined, request: TrackRequest, stored: Reply): Offer {
  if (!Array.isArray(list)) throw new SluiceError("MALFORMED", "the events are not a list");
  if (list.length > eventsMax) throw new SluiceError("TOO_LARGE", `there are more than ${eventsMax} events`);
  const notices = new Set<string>();
  const events: OfferedEvent[] = [];
  for (const [i, item] of list.entries()) events.push(readEvent(item, request.eventId(i), notices));
  return { events, notices: [...notices], answer: answerList(stored) };
}

/** Apart from where the request is at hand: an answer is kept until storage has answered, and a body is not to be. */
function answerList(stored: Reply): Offer["answer"] {
  return ({ outcomes }) => {
    const failures = outcomes.flatMap((outcome, index) => toFailure(outcome, index) ?? []);
    if (failures.length === 0) return stored;
    const status = failures.length === outcomes.length ? 400 : 207;
    const message = `${failures.length} of ${outcomes.length} events were not stored`;
    return { status, body: { code: status, message, failures } };
  };
}

function readEvent(item: JsonValue, id: string, notices: Set<string>): OfferedEvent {
  if (!isJsonObject(item)) return refuseEvent("", "is not an object", item);
  const { eventTypeId, trafficTypeName, key, value, timestamp, properties, environmentName } = item;
  const environment = typeof environmentName === "string" ? environmentName : "";
  const refuse = (field: string, message: string) => refuseEvent(field, message, item, environment);
  if (typeof eventTypeId !== "string" || !eventTypeForm.test(eventTypeId)) {
    return refuse("eventTypeId", eventTypeId == null ? "is required" : eventTypeFault);
  }
  if (typeof trafficTypeName !== "string" || trafficTypeName === "") {
    return refuse("trafficTypeName", trafficTypeName == null ? "is required" : "is no text, or empty");
  }
  const trimmed = typeof key === "string" ? key.trim() : key;
  const keyFault = findIdentityFault(trimmed);
  if (keyFault !== undefined) return refuse("key", keyFault);
  const identity = String(trimmed);
  if (identity.length > keyLengthMax) return refuse("key", `is longer than ${keyLengthMax} characters`);
  // Whatever else is wrong with an identity is then its kind.
  if (hasControlCharacter(identity)) return refuse("key", "holds a control character");
  if (!identity.isWellFormed()) return refuse("key", "is not valid Unicode");
  if (value != null && typeof value !== "number") return refuse("value", "is no number");
  if (environmentName != null && typeof environmentName !== "string") return refuse("environmentName", "is no text");
  const propertiesFault = properties == null ? undefined : findPropertiesFault(properties);
  if (propertiesFault !== undefined) return refuse(...propertiesFault);
  const parsed = timestamp == null ? undefined : parseTimestamp(timestamp);
  if (parsed !== undefined && "fault" in parsed) return refuse("timestamp", parsed.fault);
  if (parsed !== undefined && parsed.unit !== "milliseconds" && parsed.unit !== "seconds") {
    notices.add(timestampNotice(parsed.unit, "milliseconds or seconds"));
  }
  return newEvent({
    id,
    name: eventTypeId,
    identities: { [trafficTypeName]: identity },
    time: parsed?.time,
    value: value ?? undefined,
    properties: isJsonObject(properties) ? properties : undefined,
    environment,
  });
}

const eventTypeFault = `does not match ${eventTypeForm.source}`;

/** The field at fault, and what is wrong with it. */
function findPropertiesFault(properties: JsonValue): [field: string, message: string] | undefined {
  if (!isJsonObject(properties)) return ["properties", "is no object"];
  let bytes = 0;
  for (const name of Object.keys(properties)) {
    const value = properties[name];
    bytes += 2 * name.length + bytesOf(value);
    if (typeof value === "object" && value !== null) {
      return [`properties.${name.toWellFormed()}`, "is neither text, number, boolean nor null"];
    }
  }
  return bytes > propertyBytesMax ? ["properties", `are larger than ${propertyBytesMax} bytes`] : undefined;
}

function bytesOf(value: JsonValue | undefined): number {
  if (typeof value === "string") return 2 * value.length;
  return typeof value === "number" ? 8 : 4;
}

function toFailure(outcome: EventOutcome, index: number): JsonObject | undefined {
  switch (outcome.kind) {
    case "accepted":
    case "duplicate":
      return undefined;
    case "rejected": {
      const { reason, violation } = outcome;
      return { index, field: violation.field, reason, message: violation.message };
    }
    case "throttled":
      return { index, reason: "RATE_LIMITED", message: `may be sent again after ${outcome.retryDelayMs} ms` };
    case "failed":
      return { index, reason: outcome.error.reason, message: outcome.error.message };
    case "withheld":
      throw new SluiceError("INTERNAL", "an event was withheld");
  }
}
