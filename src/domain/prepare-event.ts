import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Event } from "../../gen/sluice/v1/event_pb.ts";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import { countTerms } from "./count-terms.ts";
import { encodeEvent } from "./encode-event.ts";
import type { OfferedEvent } from "./event.ts";
import { assignId, callLimits, eventLimits } from "./event.ts";
import type { EventInspection } from "./inspect-event-bytes.ts";
import { inspectEventBytes } from "./inspect-event-bytes.ts";
import type { EventOutcome } from "./outcome.ts";
import type { EventToAppend } from "./ports.ts";
import type { Caller } from "./project.ts";
import { checkProjectRules, environmentFor } from "./project-rules.ts";
import { readSoundEvent } from "./read-sound-event.ts";
import { fault, validateEvent } from "./validate-event.ts";

/** An event that will not be stored, and why. */
export type RejectedEvent = Extract<EventOutcome, { kind: "rejected" }>;

/** Who sends an event, as far as that decides what may be sent. */
export type Sender = Pick<Caller, "project" | "environments">;

/**
 * Makes an offered event ready to be stored as it was sent, or says why it cannot be. An event without an environment
 * gets its key's.
 */
export function prepareEvent(offered: OfferedEvent, nowMs: number, sender: Sender): EventToAppend | RejectedEvent {
  if ("refusal" in offered) return { kind: "rejected", id: "", ...offered.refusal };
  if (!(offered instanceof Uint8Array)) return prepareDecoded(offered, nowMs, sender, "stripping", undefined);
  if (offered.length > callLimits.trackMessageBytes) {
    const violation = fault("", `is larger than ${callLimits.trackMessageBytes} bytes as it was sent`);
    return { kind: "rejected", id: "", reason: "EVENT_INVALID", violation };
  }
  const sound = prepareSound(offered, nowMs, sender);
  if (sound !== undefined) return sound;
  let event: Event;
  let inspection: EventInspection;
  try {
    // They are found in the bytes, and a million of them would cost half a gigabyte here.
    event = fromBinary(EventSchema, offered, { readUnknownFields: false });
    inspection = inspectEventBytes(offered);
  } catch (cause) {
    const violation = fault("", `is not a protobuf Event: ${cause instanceof Error ? cause.message : "unreadable"}`);
    return { kind: "rejected", id: "", reason: "MALFORMED", violation };
  }
  return prepareDecoded(event, nowMs, sender, inspection, offered);
}

/** Undefined when the event has to be decoded to be judged. */
function prepareSound(sent: Uint8Array, nowMs: number, sender: Sender): EventToAppend | undefined {
  const sound = readSoundEvent(sent, nowMs, sender.project.settings);
  if (sound === undefined) return undefined;
  const { id, environment, isTimeAbsent, isTest, termCount } = sound;
  // Of its identities, the project has the kinds.
  if (checkProjectRules({ environment, identities: {} }, sender) !== undefined) return undefined;
  const bytes = environment === "" ? addEnvironment(sent, environmentFor(sender)) : sent;
  if (bytes.length >= eventLimits.eventBytes) return undefined;
  return { ...identify(id), bytes, isTimeAbsent, isTest, termCount };
}

function identify(id: string): Pick<EventToAppend, "id" | "isIdAssigned"> {
  return id === "" ? { id: assignId(), isIdAssigned: true } : { id, isIdAssigned: false };
}

function prepareDecoded(
  event: Event,
  nowMs: number,
  sender: Sender,
  inspection: EventInspection,
  sent: Uint8Array | undefined,
): EventToAppend | RejectedEvent {
  const violation = validateEvent(event, nowMs);
  if (violation !== undefined) return rejectInvalid(event, violation);
  if (typeof inspection !== "string") return rejectInvalid(event, inspection);
  const breach = checkProjectRules(event, sender);
  if (breach !== undefined) return { ...rejectInvalid(event, breach.violation), reason: breach.reason };

  const environment = event.environment === "" ? environmentFor(sender) : "";
  const bytes =
    sent !== undefined && inspection === "clean"
      ? addEnvironment(sent, environment)
      : encodeEvent(environment === "" ? event : { ...event, environment });
  if (bytes.length >= eventLimits.eventBytes) {
    return rejectInvalid(event, fault("", `is not smaller than ${eventLimits.eventBytes} bytes`));
  }
  return {
    ...identify(event.id),
    bytes,
    isTimeAbsent: event.time === undefined,
    isTest: event.test,
    termCount: countTerms(event, sender.project.settings.indexedProperties),
  };
}

function rejectInvalid(event: Event, violation: RejectedEvent["violation"]): RejectedEvent {
  return {
    kind: "rejected",
    id: event.id.slice(0, eventLimits.idLength).toWellFormed(),
    reason: "EVENT_INVALID",
    violation,
  };
}

/** The encoding of an event with an environment, if there is one to add: an encoding may be added to at its end. */
function addEnvironment(bytes: Uint8Array, environment: string): Uint8Array {
  if (environment === "") return bytes;
  return Buffer.concat([bytes, toBinary(EventSchema, create(EventSchema, { environment }))]);
}
