import { hash } from "node:crypto";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { Event } from "../../../gen/sluice/v1/event_pb.ts";
import type { Violation } from "../../domain/errors.ts";
import type { OfferedEvent } from "../../domain/event.ts";
import type { EventOutcome } from "../../domain/outcome.ts";
import { isStored } from "../../domain/stored-outcome.ts";
import { canonicalJson } from "../canonical-json.ts";
import type { Dialect, Offer, Reply, RequestHead, TrackRequest } from "../dialect.ts";
import { findIdentityFault } from "../identity-fault.ts";
import { isJsonObject } from "../is-json-object.ts";
import { isJsonLargerThan } from "../json-size.ts";
import { newEvent } from "../new-event.ts";
import { offerOne, refuseEvent } from "../offer-one.ts";
import { parseTimestamp } from "../parse-timestamp.ts";
import type { Refusal } from "../refusal.ts";
import { RequestRefused } from "../refusal.ts";
import { refusalText, violationText } from "../refusal-text.ts";
import { renameField } from "../rename-field.ts";
import { timestampNotice } from "../timestamp-notice.ts";

/*
 * Bloomreach Engagement (Exponea), Tracking API, https://documentation.bloomreach.com/engagement: "Add event",
 * …/reference/add-event; "Batch commands", …/docs/batch-commands-2; its errors, …/reference/tracking-api-error-messages
 * and …/reference/tracking-api-authorization-errors; its content dedupe, …/docs/imports-technical-reference. What
 * clients send and read: https://github.com/exponea/exponea-python-sdk.
 *
 * customer_ids are identities; event_type is the name. projectToken is the name of the project that the key opens.
 *
 * Differences:
 * - An event that is not taken is answered 400, as one of the vendor's pages has it; another says 200.
 * - An answer means that the event is stored, not that it is queued.
 * - A batch of which nothing is stored, and something could be later, fails as a whole, so that clients retry it.
 * - Commands of a batch are executed in their order. `customers` is refused: Sluice keeps events, not profiles.
 * - Equal events are stored once for as long as the project remembers ids, not for 90 days; customers are the same when
 *   their ids are, as sent. Events without a timestamp are never equal.
 * - An `Idempotency-Key` gives the events ids, which then count instead of their content.
 * - Ids of customers are texts; numbers become texts, unless they are too large to be exact. Lists are refused.
 * - timestamp may be of other units than seconds; `Sluice-Notice` tells so.
 * - 16 KB of a property's value are 16,384 bytes, of its JSON and of its protobuf encoding; an event has 300 at most.
 * - A key may be sent as `Bearer`, too. Of a `Basic` one, the secret is the key, or, without a secret, the id.
 */

const commandsMax = 50;

/** Exclusive. */
const propertyBytes = 16 << 10;

/** 144 bits of a digest. */
const digestLength = 24;

/** The vendor's own sentences, which name no field. */
const atLeastOneId = "At least one id should be specified.";
const atLeastOneProperty = "At least one property should be specified.";
const sentences: ReadonlySet<string> = new Set([atLeastOneId, atLeastOneProperty]);

const projectPath = "/track/v2/projects/:projectToken";

/** Bloomreach's tracking API. */
export const bloomreach: Dialect = {
  entrance: "bloomreach",
  endpoints: [
    {
      kind: "track",
      name: "bloomreach/customers/events",
      method: "POST",
      path: `${projectPath}/customers/events`,
      bodyBytesMax: 1 << 20,
      read: offerEvent,
    },
    {
      kind: "track",
      name: "bloomreach/batch",
      method: "POST",
      path: `${projectPath}/batch`,
      bodyBytesMax: 4 << 20,
      read: offerBatch,
    },
    {
      kind: "open",
      name: "bloomreach/system/time",
      method: "GET",
      path: `${projectPath}/system/time`,
      answer: (nowMs) => ({ status: 200, body: { errors: [], success: true, time: nowMs / 1000 } }),
    },
  ],

  key: ({ headers, query }) => readKey(headers.authorization) ?? (query.get("access_token") || undefined),

  checkProject({ params }, project) {
    if (params.projectToken === project) return;
    throw new RequestRefused(400, "PROJECT_UNKNOWN", "Invalid project id");
  },

  fieldName: (field) =>
    renameField(field.replace(/^identities\["(.*?)(?:"\])?$/s, "customer_ids.$1"), {
      id: "Idempotency-Key",
      name: "event_type",
      identities: "customer_ids",
      time: "timestamp",
    }),

  refuse(refusal: Refusal): Reply {
    const { status, reason, message, violations } = refusal;
    switch (reason) {
      case "KEY_MISSING":
        return { status, body: { success: false, error: "Access key not provided" } };
      case "KEY_INVALID":
        return { status, body: { success: false, error: "Access key not found" } };
      case "PERMISSION_MISSING":
        return { status, body: { success: false, error: `missing permission: ${message}` } };
      case "ENVIRONMENT_FORBIDDEN":
      case "PROJECT_UNKNOWN":
        return { status, body: { success: false, error: message } };
      case "MALFORMED":
        // A body can also be cut off or badly packed.
        return { status, body: { success: false, message: /\bJSON\b/.test(message) ? "Invalid JSON" : message } };
      default: {
        const sentence = violations.find((violation) => sentences.has(violation.message));
        return { status, body: fail(sentence?.message ?? refusalText(refusal)) };
      }
    }
  },
};

/** The key in an `authorization` header of the schemes `Basic`, `Token` and `Bearer`. */
function readKey(authorization: RequestHead["headers"][string]): string | undefined {
  if (typeof authorization !== "string") return undefined;
  const [, scheme = "", credential = ""] = /^(basic|token|bearer) +(\S+) *$/i.exec(authorization) ?? [];
  if (scheme.toLowerCase() !== "basic") return credential || undefined;
  const [, id = "", secret = ""] = /^([^:]*):?(.*)$/s.exec(Buffer.from(credential, "base64").toString()) ?? [];
  return secret || id || undefined;
}

function offerEvent(request: TrackRequest): Offer {
  const notices = new Set<string>();
  const event = readEvent(request.body, 0, request, notices);
  return offerOne(event, [...notices], () => ({ status: 200, body: { errors: [], success: true } }));
}

/** What a command of a batch is answered: by what becomes of the event at a place among those offered, or at once. */
type CommandAnswer = { readonly place: number } | { readonly error: string } | "time";

/** A command of a batch whose event, if it has one, is offered. */
interface ReadCommand {
  /** As the client numbers it; undefined: it does not. */
  readonly id: string | number | undefined;
  readonly answer: CommandAnswer;
}

function offerBatch(request: TrackRequest): Offer {
  const commands = isJsonObject(request.body) ? request.body.commands : undefined;
  if (!Array.isArray(commands)) throw new RequestRefused(400, "EVENT_INVALID", "commands is not a list");
  if (commands.length > commandsMax) {
    throw new RequestRefused(400, "TOO_LARGE", `commands has more than ${commandsMax} entries`);
  }
  const events: OfferedEvent[] = [];
  const notices = new Set<string>();
  const read: ReadCommand[] = [];
  for (const [index, command] of commands.entries()) {
    const answer = readCommand(command, events.length);
    if (isJsonObject(command) && typeof answer === "object" && "place" in answer) {
      events.push(readEvent(command.data, index, request, notices));
    }
    read.push({ id: readCommandId(command), answer });
  }
  return { events, notices: [...notices], answer: answerBatch(read, request.nowMs) };
}

/** `place` is that of the command's event, if it has one. */
function readCommand(command: JsonValue, place: number): CommandAnswer {
  if (!isJsonObject(command)) return { error: "the command is not an object" };
  switch (command.name) {
    case "customers/events":
      return { place };
    case "system/time":
      return "time";
    case "customers":
      return { error: "the command customers is not supported: Sluice keeps events, not profiles of customers" };
    default:
      return { error: "the command is unknown: its name has to be customers/events or system/time" };
  }
}

function readCommandId(command: JsonValue): ReadCommand["id"] {
  const id = isJsonObject(command) ? command.command_id : undefined;
  return typeof id === "string" || typeof id === "number" ? id : undefined;
}

/** Apart from where the request is at hand: an answer is kept until storage has answered, and a body is not to be. */
function answerBatch(commands: readonly ReadCommand[], startMs: number): Offer["answer"] {
  return ({ outcomes }, nowMs) => {
    const results = commands.map(({ id, answer }) => ({
      ...printAnswer(answer, outcomes, nowMs),
      ...(id !== undefined && { command_id: id }),
    }));
    return { status: 200, body: { results, start_time: startMs / 1000, end_time: nowMs / 1000, success: true } };
  };
}

function printAnswer(answer: CommandAnswer, outcomes: readonly EventOutcome[], nowMs: number): JsonObject {
  if (answer === "time") return { success: true, time: nowMs / 1000 };
  return "place" in answer ? printOutcome(outcomes[answer.place]) : fail(answer.error);
}

function printOutcome(outcome: EventOutcome | undefined): JsonObject {
  if (outcome !== undefined && isStored(outcome)) return { success: true };
  switch (outcome?.kind) {
    case "rejected": {
      const { violation } = outcome;
      return fail(sentences.has(violation.message) ? violation.message : violationText(violation));
    }
    case "throttled": {
      const delay = Math.max(1, Math.ceil(outcome.retryDelayMs / 1000));
      return fail(`a rate limit of the project is used up, retry after ${delay} s`);
    }
    case "failed":
      return fail(outcome.error.message);
    default:
      return fail("the event was not stored");
  }
}

function fail(error: string): JsonObject {
  return { success: false, errors: [error] };
}

/** `index` is that of the command, or 0 of a single event. */
function readEvent(
  data: JsonValue | undefined,
  index: number,
  request: Pick<TrackRequest, "eventId" | "environment">,
  notices: Set<string>,
): OfferedEvent {
  if (!isJsonObject(data)) return refuseEvent("", "is not an object", data ?? null);
  const { customer_ids, event_type, timestamp, properties } = data;
  const refuse = ({ field, message }: Violation) => refuseEvent(field, message, data);

  const identities = new Map<string, string>();
  const violation = addIdentities(identities, customer_ids ?? {});
  if (violation !== undefined) return refuse(violation);

  if (typeof event_type !== "string") {
    return refuseEvent("event_type", (event_type ?? null) === null ? "is required" : "is not a text", data);
  }

  const parsed = timestamp === undefined || timestamp === null ? undefined : parseTimestamp(timestamp);
  if (parsed !== undefined && "fault" in parsed) return refuseEvent("timestamp", parsed.fault, data);

  const propertiesFault = checkProperties(properties);
  if (propertiesFault !== undefined) return refuse(propertiesFault);

  if (parsed !== undefined && parsed.unit !== "seconds" && parsed.unit !== "text") {
    notices.add(timestampNotice(parsed.unit, "seconds"));
  }
  const event = newEvent({
    id: request.eventId(index),
    name: event_type,
    identities: Object.fromEntries(identities),
    time: parsed?.time,
    properties: isJsonObject(properties) ? properties : undefined,
    environment: request.environment,
  });
  return event.id !== "" || event.time === undefined ? event : { ...event, id: contentId(event, event.time) };
}

function addIdentities(identities: Map<string, string>, customerIds: JsonValue): Violation | undefined {
  if (!isJsonObject(customerIds)) return { field: "customer_ids", message: "is not an object" };
  for (const [kind, id] of Object.entries(customerIds)) {
    if (id === null) continue;
    const message = findIdentityFault(id);
    if (message !== undefined) return { field: `customer_ids.${kind.toWellFormed()}`, message };
    identities.set(kind, String(id));
  }
  return identities.size > 0 ? undefined : { field: "customer_ids", message: atLeastOneId };
}

/** Null is what the vendor's Python client sends for none. */
function checkProperties(properties: JsonValue | undefined): Violation | undefined {
  if (properties === null) return undefined;
  if (properties !== undefined && !isJsonObject(properties)) {
    return { field: "properties", message: "is not an object" };
  }
  const entries = Object.entries(properties ?? {});
  if (entries.length === 0) return { field: "properties", message: atLeastOneProperty };
  const tooLarge = entries.find(([, value]) => isJsonLargerThan(value, propertyBytes - 1));
  if (tooLarge === undefined) return undefined;
  return { field: `properties.${tooLarge[0].toWellFormed()}`, message: `is not smaller than ${propertyBytes} bytes` };
}

/** An id that two events share only if all that they say is the same. */
function contentId(event: Event, { seconds, nanos }: NonNullable<Event["time"]>): string {
  const { name, identities, properties = null, environment } = event;
  const content = canonicalJson([identities, name, String(seconds), nanos, properties, environment]);
  return `bloomreach-${hash("sha256", content, "base64url").slice(0, digestLength)}`;
}
