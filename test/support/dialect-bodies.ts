import type { JsonObject } from "@bufbuild/protobuf";
import type { EventContent } from "./listed-events.ts";

/** What dialects can say of an event between them. */
export interface SayableEvent {
  readonly name: string;
  /** Kind to id. */
  readonly identities: Readonly<Record<string, string>>;
  readonly timeMs?: number;
  readonly value?: number;
  readonly properties: JsonObject;
}

/** The same event in a vendor's words, as the JSON of its request. What the vendor has no word for is left out. */
export const dialectBodies = {
  /** Has one identity; the first is it. */
  split({ name, identities, timeMs, value, properties }: SayableEvent): JsonObject {
    const [[trafficTypeName = "", key = ""] = []] = Object.entries(identities);
    return {
      trafficTypeName,
      key,
      eventTypeId: name,
      ...(timeMs === undefined ? {} : { timestamp: timeMs }),
      ...(value === undefined ? {} : { value }),
      properties,
    };
  },
  /** Has no value, whole seconds, and identities of its own kinds only: `email`, `github_username`, `gitlab_username`. */
  dx({ name, identities, timeMs = 0, properties }: SayableEvent): JsonObject {
    return { name, ...identities, timestamp: String(Math.floor(timeMs / 1000)), metadata: properties };
  },
  /** Has no value. */
  bloomreach({ name, identities, timeMs, properties }: SayableEvent): JsonObject {
    const timestamp = timeMs === undefined ? {} : { timestamp: timeMs / 1000 };
    return { customer_ids: { ...identities }, event_type: name, ...timestamp, properties };
  },
  /** Has no time, and the identity `user` only; the value is 0 if there is none. */
  oppizi({ name, identities, value = 0, properties }: SayableEvent): JsonObject {
    const { user } = identities;
    return { eventName: name, value, ...(user === undefined ? {} : { userId: user }), metadata: properties };
  },
} as const;

/** The event as ListEvents has to give it back; its time has no fraction, or three digits of it. */
export function toContent({ timeMs, ...fields }: SayableEvent): EventContent {
  return { ...fields, ...(timeMs === undefined ? {} : { time: new Date(timeMs).toISOString().replace(".000", "") }) };
}
