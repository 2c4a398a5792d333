import type { Event } from "../../gen/sluice/v1/event_pb.ts";

/** What a dialect can say of an event. */
export type EventFields = Pick<Event, "name"> &
  Partial<Pick<Event, "id" | "identities" | "time" | "value" | "properties" | "environment" | "test">>;

/** An event of these fields. By hand: `create` of the protobuf library takes a microsecond for it. */
export function newEvent(fields: EventFields): Event {
  const { id = "", name, identities = {}, time, value, properties, environment = "", test = false } = fields;
  const event: Event = {
    $typeName: "sluice.v1.Event",
    id,
    name,
    identities,
    environment,
    test,
    cursor: "",
    entrance: "",
  };
  // Not by spreading, which takes ten times as long.
  if (time !== undefined) event.time = time;
  if (value !== undefined) event.value = value;
  if (properties !== undefined) event.properties = properties;
  return event;
}
