import { randomUUIDv7 } from "node:crypto";
import type { Event } from "../../gen/sluice/v1/event_pb.ts";
import type { Violation } from "./errors.ts";

/** An event as a sender offered it: its protobuf encoding, or, where it came as JSON, the message, if it is one. */
export type OfferedEvent = Uint8Array | Event | RefusedEvent;

/** An event that came as JSON and is none, or that its dialect does not take. */
export interface RefusedEvent {
  readonly refusal: {
    readonly reason: "MALFORMED" | "EVENT_INVALID";
    /** What is wrong with it, as in "the event …" where no field is named. */
    readonly violation: Violation;
  };
  /** What was sent, for the list of rejected events: as text, and no more of it than `printSent` keeps. */
  readonly sent?: string;
  /** The environment that it names, where its dialect knows. Default: none. */
  readonly environment?: string;
}

/** Bounds of an event; lengths in code points. DESIGN section 3. */
export const eventLimits = {
  idLength: 128,
  nameLength: 256,
  identityCount: 16,
  identityKindLength: 64,
  identityLength: 256,
  environmentLength: 64,
  propertyCount: 300,
  propertyNameLength: 256,
  propertyBytes: 16_384,
  propertyDepth: 16,
  /** Exclusive. */
  eventBytes: 800_000,
  /** How far ahead of ours a sender's clock may be. */
  futureMs: 24 * 60 * 60 * 1000,
} as const;

/** Bounds of what one call may carry. DESIGN section 3. */
export const callLimits = {
  trackMessageBytes: 1 << 20,
  batchMessageBytes: 4 << 20,
  messageEvents: 500,
  /** Of the events of an atomic call, which are stored by one script call. */
  atomicBytes: 1 << 20,
  /** Of these events: their names, identities and scalars of indexed properties. */
  atomicTerms: 5000,
  pageSizeDefault: 20,
  pageSizeMax: 1000,
  pageBytes: 3 << 20,
  filterNames: 100,
  filterValues: 100,
  filterProperties: 16,
  /** Of a text that a property has to equal. */
  filterPropertyLength: 1024,
  failures: 1000,
  /** How long a TrackBatch stream is held back by rate limits, in all. */
  throttleWaitMs: 30_000,
  /** At which one answer of a tail ends: there may be 10,000 whose readers take nothing. */
  tailBatchBytes: 256 << 10,
  /** How long a tail stays silent at most, as is promised; see `silenceMs` in tail-events.ts. */
  tailHeartbeatMs: 15_000,
} as const;

/** An id for an event whose sender gave none. */
export function assignId(): string {
  return randomUUIDv7();
}
