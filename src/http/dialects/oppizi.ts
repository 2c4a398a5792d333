import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { Event } from "../../../gen/sluice/v1/event_pb.ts";
import type { Violation } from "../../domain/errors.ts";
import { SluiceError } from "../../domain/errors.ts";
import type { RefusedEvent } from "../../domain/event.ts";
import { invalidFilter } from "../../domain/page-query.ts";
import type { StoredOutcome } from "../../domain/stored-outcome.ts";
import { isLongerThan } from "../../domain/text-length.ts";
import type { Dialect, ListedEvent, Listing, Offer, Reply, RequestHead, TrackRequest } from "../dialect.ts";
import { findIdentityFault } from "../identity-fault.ts";
import { isJsonObject } from "../is-json-object.ts";
import { newEvent } from "../new-event.ts";
import { offerOne, refuseEvent } from "../offer-one.ts";
import type { Refusal } from "../refusal.ts";
import { refusalText } from "../refusal-text.ts";
import { renameField } from "../rename-field.ts";

/*
 * Oppizi: "Tracking API", https://developer.oppizi.com/tracking; its newer pages at
 * https://developer.oppizi.com/docs/authentication and …/docs/api-reference/tracking.
 *
 * userId is the identity `user`; metadata, transactionId, currency, campaignId, metricId and coupon are properties.
 *
 * Differences:
 * - PUT is refused, since events are append-only.
 * - An `Idempotency-Key` makes a retry safe: it is answered 200 with the event as it was stored first, instead of 201.
 * - The reply of a list has the cursor that the vendor's lacks: data.startingAfter, null on the last page. The id of a
 *   page's last event does as well.
 * - totalCount is the number of events where one page holds them all, else null: counting reads all of them.
 * - Numbers and booleans in metadata are kept as such, not made texts, since all examples send numbers.
 * - transactionId and the other four are in metadata too; they are filtered by as metadata.transactionId.
 * - Events that came in elsewhere are listed too. Theirs alone may have no value, and metadata of any form.
 */

const metadataMax = 50;
const metadataKeyLengthMax = 40;
const metadataValueLengthMax = 256;
const limitDefault = 20;
const limitMax = 100;

/** The properties that are fields of their own at the vendor. */
const ownFields = ["transactionId", "currency", "campaignId", "metricId", "coupon"] as const;
type OwnField = (typeof ownFields)[number];

const path = "/tracking/events";
const refusedMethods = { PUT: "events are append-only: publish another event instead" };

/** Oppizi's tracking API. */
export const oppizi: Dialect = {
  entrance: "oppizi",
  endpoints: [
    { kind: "track", name: "oppizi/create", method: "POST", path, refusedMethods, bodyBytesMax: 1 << 20, read: offer },
    { kind: "list", name: "oppizi/list", method: "GET", path, refusedMethods, read: readListing },
  ],

  fieldName,

  refuse(refusal: Refusal): Reply {
    const { status, reason } = refusal;
    if (status === 401) return fail(status, "Unauthorized");
    if (status === 403) return fail(status, "Forbidden");
    if (reason === "PAGE_TOKEN_INVALID") return fail(status, "startingAfter is not from a page of this list");
    return fail(status, refusalText(refusal));
  },
};

function fail(status: number, error: string): Reply {
  return { status, body: { success: false, error } };
}

function succeed(status: number, data: JsonObject): Reply {
  return { status, body: { success: true, data } };
}

function fieldName(field: string): string {
  const wanted = /^filter\.(names|values|properties)/.exec(field)?.[1];
  if (wanted === "names") return "eventName";
  if (wanted === "values") return "value";
  if (wanted === "properties") {
    const key = field.slice("filter.properties".length).replace(/^\["|"\]$/g, "");
    return key === "" ? "metadata" : `metadata.${key}`;
  }
  if (field === 'identities["user"]') return "userId";
  const property = ownFields.find((name) => field === `properties.${name}`);
  if (property !== undefined) return property;
  return renameField(field, {
    id: "Idempotency-Key",
    name: "eventName",
    identities: "userId",
    properties: "metadata",
    page_token: "startingAfter",
    page_size: "limit",
  });
}

function offer(request: TrackRequest): Offer {
  const event = readEvent(request);
  return offerOne(event, [], "refusal" in event ? refusedIsStored : answerWith(event));
}

/** Apart from where the request is at hand: an answer is kept until storage has answered, and a body is not to be. */
function answerWith(event: Event): (stored: StoredOutcome) => Reply {
  return ({ kind, id, position }) =>
    succeed(kind === "accepted" ? 201 : 200, printEvent({ id, receivedMs: position.ms, event }));
}

function refusedIsStored(): never {
  throw new SluiceError("INTERNAL", "an event was stored that its dialect refused");
}

function readEvent(request: TrackRequest): Event | RefusedEvent {
  const { body } = request;
  if (!isJsonObject(body)) return refuseEvent("", "is not a JSON object", body);
  const { eventName, value, userId, metadata } = body;
  if (typeof eventName !== "string") return refuseEvent("eventName", faultOf(eventName, "a text"), body);
  if (typeof value !== "number") return refuseEvent("value", faultOf(value, "a number"), body);
  const user = userId ?? undefined;
  const userFault = user === undefined ? undefined : findIdentityFault(user);
  if (userFault !== undefined) return refuseEvent("userId", userFault, body);
  const properties = new Map<string, JsonValue>();
  const violation = addMetadata(properties, metadata ?? {}) ?? addOwnFields(properties, body);
  if (violation !== undefined) return refuseEvent(violation.field, violation.message, body);
  return newEvent({
    id: request.eventId(0),
    name: eventName,
    identities: user === undefined ? {} : { user: String(user) },
    value,
    properties: properties.size === 0 ? undefined : Object.fromEntries(properties),
  });
}

function faultOf(value: JsonValue | undefined, kind: string): string {
  return value === undefined || value === null ? "is required" : `is not ${kind}`;
}

/** A number of JSON text can be too large to be one. */
function isTextOrNumber(value: JsonValue): value is string | number {
  return typeof value === "string" || Number.isFinite(value);
}

function addMetadata(properties: Map<string, JsonValue>, metadata: JsonValue): Violation | undefined {
  if (!isJsonObject(metadata)) return { field: "metadata", message: "is not an object" };
  const entries = Object.entries(metadata);
  if (entries.length > metadataMax) return { field: "metadata", message: `has more than ${metadataMax} entries` };
  for (const [key, value] of entries) {
    const message = findKeyFault(key);
    if (message !== undefined) return { field: "metadata", message };
    for (const one of Array.isArray(value) ? value : [value]) {
      const fault = findValueFault(one);
      if (fault !== undefined) return { field: `metadata.${key}`, message: fault };
    }
    properties.set(key, value);
  }
  return undefined;
}

function findKeyFault(key: string): string | undefined {
  if (key === "") return "has an empty key";
  if (isLongerThan(key, metadataKeyLengthMax)) return `has a key longer than ${metadataKeyLengthMax} characters`;
  return key.isWellFormed() ? undefined : "has a key that is not valid Unicode";
}

function findValueFault(value: JsonValue): string | undefined {
  if (typeof value !== "string") {
    const isScalar = typeof value === "number" || typeof value === "boolean";
    return isScalar ? undefined : "is not a text, a number, a boolean or a list of those";
  }
  const isLong = isLongerThan(value, metadataValueLengthMax);
  return isLong ? `is longer than ${metadataValueLengthMax} characters` : undefined;
}

function addOwnFields(properties: Map<string, JsonValue>, body: JsonObject): Violation | undefined {
  for (const field of ownFields) {
    const value = body[field] ?? undefined;
    if (value === undefined) continue;
    if (!isTextOrNumber(value)) return { field, message: "is not a text or number" };
    const other = properties.get(field);
    if (other !== undefined && other !== value) return { field, message: `is not the same as metadata.${field}` };
    properties.set(field, value);
  }
  return undefined;
}

/** The vendor's event object, which has every field. */
function printEvent({ id, receivedMs, event }: ListedEvent): JsonObject {
  const { name, value = null, identities, properties = {} } = event;
  const own = (field: OwnField): JsonValue => {
    const property = properties[field] ?? null;
    return property !== null && isTextOrNumber(property) ? property : null;
  };
  return {
    id,
    eventName: name,
    value,
    transactionId: own("transactionId"),
    currency: own("currency"),
    userId: identities.user ?? null,
    campaignId: own("campaignId"),
    metricId: own("metricId"),
    coupon: own("coupon"),
    metadata: properties,
    createdAt: new Date(receivedMs).toISOString(),
  };
}

function readListing({ query }: RequestHead): Listing {
  // A link is often built with every parameter, those without a value too.
  const all = (name: string) => query.getAll(name).filter((text) => text !== "");
  const [after] = all("startingAfter");
  return {
    query: {
      filter: {
        names: all("eventName"),
        environment: "",
        values: all("value").map(readValue),
        properties: readProperties(query),
        includeTest: false,
      },
      order: "newest-first",
      pageSize: readLimit(all("limit")[0]),
    },
    after,
    answer: ({ events, next = null }) =>
      succeed(200, {
        nodes: events.map(printEvent),
        totalCount: after === undefined && next === null ? events.length : null,
        startingAfter: next,
      }),
  };
}

function readLimit(text: string | undefined): number {
  if (text === undefined) return limitDefault;
  const limit = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > limitMax) throw invalidFilter("limit", `is not a whole number from 1 to ${limitMax}`);
  return limit;
}

/** As JSON has numbers; `Number` would also take an empty text and hexadecimal. */
function readValue(text: string): number {
  const value = Number(text);
  if (!/^-?\d+(\.\d+)?(e[-+]?\d+)?$/i.test(text) || !Number.isFinite(value)) {
    throw invalidFilter("value", "is not a number");
  }
  return value;
}

function readProperties(query: URLSearchParams): Map<string, string[]> {
  const prefix = "metadata.";
  const properties = new Map<string, string[]>();
  for (const [parameter, text] of query) {
    if (!parameter.startsWith(prefix)) continue;
    const key = parameter.slice(prefix.length);
    const texts = properties.get(key);
    if (texts === undefined) properties.set(key, [text]);
    else texts.push(text);
  }
  return properties;
}
