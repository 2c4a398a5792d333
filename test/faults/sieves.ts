import type { JsonValue, MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import type { Event } from "../../gen/sluice/v1/event_pb.ts";
import type { EventFilterSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import { indexedProperty } from "./project-file.ts";
import type { SeededRandom } from "./seeded-random.ts";

/** A filter, and which decoded events it lets through: worked out by what the contract says, without the server's help. */
export interface Sieve {
  readonly name: string;
  readonly filter: MessageInitShape<typeof EventFilterSchema>;
  lets(event: Event): boolean;
}

/** Filters of each kind that let some of these events through. They are looked up but for the last three kinds. */
export function createSieves(events: readonly Event[], random: SeededRandom): Sieve[] {
  const some = <T>(values: Iterable<T>, count: number) => random.shuffle([...new Set(values)]).slice(0, count);
  const names = some(
    events.map(({ name }) => name),
    5,
  );
  const visitors = some(
    events.flatMap(({ identities: { visitor } }) => visitor ?? []),
    12,
  );
  const paths = some(textsOf(events, indexedProperty), 12);
  const referrers = some(textsOf(events, "referrer"), 1);
  const times = [0, 1].map(() => toMs(random.pick(events))).sort((a, b) => a - b);
  return [
    ...names.map(byName),
    ...visitors.map(byVisitor),
    ...paths.map((path) => byProperty(indexedProperty, path)),
    ...visitors.slice(0, 2).map((visitor) => byNameAndVisitor(random.pick(names), visitor)),
    ...referrers.map((referrer) => byProperty("referrer", referrer)),
    byProperty("status", "404"),
    byReceiveTime(times[0] ?? 0, times[1] ?? 0),
  ];
}

function byName(name: string): Sieve {
  return { name: `name ${name}`, filter: { names: [name] }, lets: (event) => event.name === name };
}

function byVisitor(id: string): Sieve {
  return {
    name: `visitor ${id}`,
    filter: { identity: { kind: "visitor", id } },
    lets: ({ identities: { visitor } }) => visitor === id,
  };
}

/** By a text, which also stands for a number that is written so. */
function byProperty(property: string, text: string): Sieve {
  return {
    name: `${property} ${text}`,
    filter: { properties: { [property]: { kind: { case: "stringValue", value: text } } } },
    lets: (event) => textOf(event, property) === text,
  };
}

function byReceiveTime(fromMs: number, untilMs: number): Sieve {
  return {
    name: `received from ${fromMs} until ${untilMs}`,
    filter: { receiveTimeFrom: timestampFromMs(fromMs), receiveTimeUntil: timestampFromMs(untilMs) },
    lets: (event) => toMs(event) >= fromMs && toMs(event) < untilMs,
  };
}

function byNameAndVisitor(name: string, id: string): Sieve {
  const [one, other] = [byName(name), byVisitor(id)];
  return {
    name: `${one.name}, ${other.name}`,
    filter: { names: [name], identity: { kind: "visitor", id } },
    lets: (event) => one.lets(event) && other.lets(event),
  };
}

function textsOf(events: readonly Event[], property: string): string[] {
  return events.flatMap((event) => textOf(event, property) ?? []);
}

function textOf({ properties }: Event, property: string): string | undefined {
  const value: JsonValue | undefined = properties?.[property];
  return typeof value === "string" || typeof value === "number" ? `${value}` : undefined;
}

function toMs({ receiveTime }: Event): number {
  return receiveTime === undefined ? Number.NaN : timestampMs(receiveTime);
}
