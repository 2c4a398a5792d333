import type { JsonValue } from "@bufbuild/protobuf";
import { fromBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import type { EventFilter, FilterQuery, PropertyScalar } from "../../src/domain/event-filter.ts";
import { everyEvent } from "../../src/domain/event-filter.ts";
import type { StoredEvent } from "../../src/domain/ports.ts";
import type { EventInit } from "./events.ts";

/** The query that asks for every event but test events. */
export const noFilter: FilterQuery = { ...everyEvent, environment: "", includeTest: false };

// Few texts and numbers, so that filters hit often; some of them look alike in JSON, in UTF-8, or as numbers.
const names = ["click", "view", "clic", "klick", "größe 🛝"];
const kinds = ["user", "account", "öl"];
const ids = ["1", "2", "ü"];
const numbers = [0, -0, 1, -1, 1.5, 404, 1e21];
const scalars: PropertyScalar[] = ["404", 404, "true", true, "false", false, "null", null, "", "0", 0, "1e+21", 1e21];
const otherTexts = ["1e21", "-0", "4040", "🛝"];
const propertyNames = ["status", "tags", "größe", "__proto__"];

/** Environments of arbitrary events. */
export const environmentNames = ["production", "staging"];

const scalar = fc.constantFrom<PropertyScalar>(...scalars, ...otherTexts);
const element: fc.Arbitrary<JsonValue> = fc.oneof(
  { arbitrary: scalar, weight: 5 },
  { arbitrary: fc.array(scalar, { maxLength: 2 }), weight: 1 },
  { arbitrary: fc.dictionary(fc.constantFrom(...propertyNames), scalar, { noNullPrototype: true }), weight: 1 },
);
const property = fc.oneof(
  { arbitrary: element, weight: 3 },
  { arbitrary: fc.array(element, { maxLength: 3 }), weight: 1 },
);

/** Events of a small world. */
export const arbitraryInit: fc.Arbitrary<EventInit> = fc.record(
  {
    name: fc.constantFrom(...names),
    identities: fc.dictionary(fc.constantFrom(...kinds), fc.constantFrom(...ids), { noNullPrototype: true }),
    value: fc.constantFrom(...numbers),
    properties: fc.dictionary(fc.constantFrom(...propertyNames), property, { noNullPrototype: true }),
    environment: fc.constantFrom("", ...environmentNames),
    test: fc.boolean(),
  },
  { requiredKeys: ["name"] },
);

const parts = {
  names: fc.subarray([...names, "unheard of"]),
  identity: fc.option(fc.record({ kind: fc.constantFrom(...kinds), id: fc.constantFrom(...ids) }), {
    nil: undefined,
    freq: 1,
  }),
  values: fc.oneof(
    { arbitrary: fc.constant([]), weight: 3 },
    { arbitrary: fc.subarray(numbers, { minLength: 1 }), weight: 1 },
  ),
  range: fc.oneof(
    { arbitrary: fc.constant([undefined, undefined] as const), weight: 3 },
    {
      arbitrary: fc
        .tuple(fc.constantFrom(undefined, ...numbers), fc.constantFrom(undefined, ...numbers))
        .filter(([min, max]) => min === undefined || max === undefined || min <= max),
      weight: 1,
    },
  ),
  includeTest: fc.boolean(),
};

/** No properties half of the time; else with any of so many scalars each, some perhaps twice. */
function arbitraryProperties(scalarsMax: number): fc.Arbitrary<FilterQuery["properties"]> {
  const wanted = fc.tuple(
    fc.constantFrom(...propertyNames),
    fc.array(scalar, { minLength: 1, maxLength: scalarsMax, size: "max" }),
  );
  return fc.oneof(
    fc.constant(new Map()),
    fc.uniqueArray(wanted, { maxLength: 2, selector: ([name]) => name }).map((entries) => new Map(entries)),
  );
}

/**
 * Queries for events of the small world, stored from `fromMs` on, three in a millisecond, so many of them. A property has
 * so many scalars at most; the contract knows one only.
 */
export function arbitraryQuery(fromMs: number, count: number, scalarsMax = 4): fc.Arbitrary<FilterQuery> {
  const time = fc.option(fc.integer({ min: fromMs - 1, max: fromMs + Math.ceil(count / 3) + 1 }), { nil: undefined });
  return fc
    .record({
      ...parts,
      properties: arbitraryProperties(scalarsMax),
      environment: fc.constantFrom("", "", ...environmentNames),
      from: time,
      until: time,
    })
    .map(({ range: [valueMin, valueMax], from, until, ...rest }) => ({
      ...rest,
      valueMin,
      valueMax,
      receivedFromMs: from,
      receivedUntilMs: from !== undefined && until !== undefined ? Math.max(from, until) : until,
    }));
}

/** Whether an event matches a filter, by the plainest means: it is decoded. */
export function matchesDecoded(filter: EventFilter, stored: StoredEvent): boolean {
  const event = fromBinary(EventSchema, stored.bytes);
  const { names, identity, environments, values, valueMin, valueMax, receivedFromMs, receivedUntilMs } = filter;
  const isInRange = (value: number) =>
    (values.length === 0 || values.some((one) => one === value)) &&
    (valueMin === undefined || value >= valueMin) &&
    (valueMax === undefined || value <= valueMax);
  const hasNoRange = values.length === 0 && valueMin === undefined && valueMax === undefined;
  return (
    (filter.includeTest || !stored.isTest) &&
    (receivedFromMs === undefined || stored.position.ms >= receivedFromMs) &&
    (receivedUntilMs === undefined || stored.position.ms < receivedUntilMs) &&
    (names.length === 0 || names.includes(event.name)) &&
    (environments.length === 0 || environments.includes(event.environment)) &&
    (identity === undefined || new Map(Object.entries(event.identities)).get(identity.kind) === identity.id) &&
    (hasNoRange || (event.value !== undefined && isInRange(event.value))) &&
    [...filter.properties].every(([name, wanted]) => {
      const found = new Map(Object.entries(event.properties ?? {})).get(name);
      const elements: readonly (JsonValue | undefined)[] = Array.isArray(found) ? found : [found];
      return elements.some((one) => wanted.some((scalar) => isEqual(one, scalar)));
    })
  );
}

function isEqual(found: JsonValue | undefined, wanted: PropertyScalar): boolean {
  if (found === wanted) return true;
  return (typeof found === "number" || typeof found === "boolean") && JSON.stringify(found) === wanted;
}
