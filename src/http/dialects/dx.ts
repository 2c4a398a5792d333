import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { OfferedEvent } from "../../domain/event.ts";
import type { Dialect, Offer, Reply, TrackRequest } from "../dialect.ts";
import { isJsonObject } from "../is-json-object.ts";
import { isJsonLargerThan } from "../json-size.ts";
import { newEvent } from "../new-event.ts";
import { offerOne, refuseEvent } from "../offer-one.ts";
import { parseTimestamp } from "../parse-timestamp.ts";
import type { Refusal, RefusalReason } from "../refusal.ts";
import { refusalText } from "../refusal-text.ts";
import { renameField } from "../rename-field.ts";
import { timestampNotice } from "../timestamp-notice.ts";

/*
 * DX: "events.track", https://docs.getdx.com/webapi/methods/events.track/; forms as in "Getting started",
 * https://help.getdx.com/en/articles/7880779-getting-started.
 *
 * email, github_username and gitlab_username are identities of these kinds; metadata are properties; test_data marks a
 * test event, which is listed on request only.
 *
 * Differences:
 * - An `Idempotency-Key` makes a retry safe; at the vendor, the same data twice is two events.
 * - An error has its HTTP status and a message. The vendor documents neither; clients look at one or the other.
 * - Errors that the vendor does not document have names of ours, such as `invalid_auth` and `id_conflict`.
 * - timestamp may be a number, of other units too, or ISO 8601; other than seconds is told in `Sluice-Notice`.
 * - Several of email, github_username and gitlab_username are kept, all of them; empty ones are as if left out.
 * - metadata of 1,024 bytes is taken; they are counted as JSON without spaces. In a form it may be JSON or
 *   `metadata[color]=blue`.
 * - test_data may be a text, and a parameter of the URL, since clients send it so; the body's counts before that.
 * - Rate limits are those of the project, not 30 a minute and 15,000 a day; a test event counts too.
 */

const identityKinds = ["email", "github_username", "gitlab_username"] as const;
const metadataBytesMax = 1024;

const lacks = "is required";
const lacksIdentity = "is required, unless there is a github_username or gitlab_username";
const formLacks = "is missing from the form";
const formLacksIdentity = "is missing from the form, and so are github_username and gitlab_username";
const metadataTooLarge = `is larger than ${metadataBytesMax} bytes`;

/** The vendor's names of what can be wrong with an event, by what is said of the field; else it is invalid_arguments. */
const faultNames: ReadonlyMap<string, string> = new Map([
  [formLacks, "invalid_form_data"],
  [formLacksIdentity, "invalid_form_data"],
  [metadataTooLarge, "metadata_too_large"],
]);

const errorNames: Readonly<Record<RefusalReason, string>> = {
  KEY_MISSING: "invalid_auth",
  KEY_INVALID: "invalid_auth",
  PERMISSION_MISSING: "not_allowed",
  ENVIRONMENT_FORBIDDEN: "not_allowed",
  PROJECT_UNKNOWN: "not_allowed",
  EVENT_INVALID: "invalid_arguments",
  FILTER_INVALID: "invalid_arguments",
  PAGE_TOKEN_INVALID: "invalid_arguments",
  MALFORMED: "invalid_arguments",
  ATOMIC_TOO_LARGE: "payload_too_large",
  // Nothing else of an event can be that large.
  TOO_LARGE: "metadata_too_large",
  ID_CONFLICT: "id_conflict",
  EVENT_NOT_FOUND: "not_found",
  CURSOR_EXPIRED: "not_found",
  METHOD_NOT_ALLOWED: "method_not_allowed",
  PATH_UNKNOWN: "unknown_method",
  UNSUPPORTED_MEDIA_TYPE: "unsupported_media_type",
  RATE_LIMITED: "too_many_requests",
  STORAGE_FULL: "storage_full",
  STORAGE_UNAVAILABLE: "service_unavailable",
  SHUTTING_DOWN: "service_unavailable",
  OVERLOADED: "service_unavailable",
  OUTCOME_UNKNOWN: "service_unavailable",
  STREAM_IDLE: "request_timeout",
  CALL_ENDED: "request_timeout",
  DEADLINE_EXCEEDED: "service_unavailable",
  INTERNAL: "internal_error",
};

/** DX's `events.track`. */
export const dx: Dialect = {
  entrance: "dx",
  endpoints: [
    {
      kind: "track",
      name: "dx/events.track",
      method: "POST",
      path: "/events.track",
      bodyBytesMax: 64 << 10,
      takesForms: true,
      read: offer,
    },
  ],

  fieldName: (field) =>
    renameField(field, { id: "Idempotency-Key", identities: "", time: "timestamp", properties: "metadata" }),

  refuse(refusal: Refusal): Reply {
    const { status, reason, violations } = refusal;
    const [violation] = violations;
    const error = (violation && faultNames.get(violation.message)) ?? errorNames[reason];
    return { status, body: { ok: false, error, message: refusalText(refusal) } };
  },
};

function offer(request: TrackRequest): Offer {
  const notices: string[] = [];
  const event = readEvent(request, notices);
  return offerOne(event, notices, () => ({ status: 200, body: { ok: true } }));
}

function readEvent(request: TrackRequest, notices: string[]): OfferedEvent {
  const { body, isForm } = request;
  if (!isJsonObject(body)) return refuseEvent("", "is not an object", body);
  const { name, timestamp } = body;
  const missing = isForm ? formLacks : lacks;

  if (isAbsent(name)) return refuseEvent("name", missing, body);
  if (typeof name !== "string") return refuseEvent("name", "is not a text", body);

  if (isAbsent(timestamp)) return refuseEvent("timestamp", missing, body);
  const parsed = parseTimestamp(timestamp);
  if ("fault" in parsed) return refuseEvent("timestamp", parsed.fault, body);
  if (parsed.unit !== "seconds") notices.push(timestampNotice(parsed.unit, "seconds"));

  const identities: Record<string, string> = {};
  for (const kind of identityKinds) {
    const identity = body[kind];
    if (isAbsent(identity)) continue;
    if (typeof identity !== "string") return refuseEvent(kind, "is not a text", body);
    identities[kind] = identity;
  }
  if (Object.keys(identities).length === 0) {
    return refuseEvent("email", isForm ? formLacksIdentity : lacksIdentity, body);
  }

  const metadata = readMetadata(body.metadata, isForm);
  if ("fault" in metadata) return refuseEvent("metadata", metadata.fault, body);
  const test = readTestData(body.test_data ?? request.query.get("test_data"));
  if (test === undefined) return refuseEvent("test_data", "is neither true nor false", body);

  const { properties } = metadata;
  return newEvent({ id: request.eventId(0), name, identities, time: parsed.time, properties, test });
}

/** Clients send what they do not have as null or as an empty text. */
function isAbsent(value: JsonValue | undefined): value is undefined | null | "" {
  return value === undefined || value === null || value === "";
}

type Metadata = { readonly properties: JsonObject | undefined } | { readonly fault: string };

function readMetadata(sent: JsonValue | undefined, isForm: boolean): Metadata {
  const metadata = isForm && typeof sent === "string" && sent !== "" ? parseJson(sent) : sent;
  if (metadata === undefined || metadata === null || (isForm && metadata === "")) return { properties: undefined };
  if (!isJsonObject(metadata)) return { fault: "is not a JSON object" };
  return isJsonLargerThan(metadata, metadataBytesMax) ? { fault: metadataTooLarge } : { properties: metadata };
}

/** The JSON that a text is; the text itself, where it is none. */
function parseJson(text: string): JsonValue {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Forms and URLs have no booleans, and each language writes its own: Python `True`, PHP `1`. */
function readTestData(sent: JsonValue): boolean | undefined {
  if (sent === null) return false;
  // To make a text of a list, all that is in it has to be gone through.
  return typeof sent === "object" ? undefined : testData.get(String(sent).toLowerCase());
}

const testData: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["1", true],
  ["false", false],
  ["0", false],
  ["", false],
]);
