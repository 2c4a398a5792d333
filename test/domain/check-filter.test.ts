import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkFilter } from "../../src/domain/check-filter.ts";
import { SluiceError } from "../../src/domain/errors.ts";
import type { FilterQuery, PropertyScalar } from "../../src/domain/event-filter.ts";
import { arbitraryQuery, noFilter } from "../support/arbitrary-filters.ts";

const wide = "🛝";
const lone = "\ud800";

function properties(...entries: [string, ...PropertyScalar[]][]): Partial<FilterQuery> {
  return { properties: new Map(entries.map(([name, ...scalars]) => [name, scalars])) };
}

function manyProperties(count: number): Partial<FilterQuery> {
  return properties(...Array.from({ length: count }, (_, i): [string, PropertyScalar] => [`p${i}`, i]));
}

/** What is thrown for a filter; undefined when it is taken. */
function faultOf(filter: Partial<FilterQuery>): SluiceError | undefined {
  try {
    checkFilter({ ...noFilter, ...filter });
    return undefined;
  } catch (thrown) {
    if (thrown instanceof SluiceError) return thrown;
    throw thrown;
  }
}

describe("checkFilter", () => {
  it.each<[string, Partial<FilterQuery>]>([
    ["nothing", {}],
    ["100 names of 256 characters", { names: Array(100).fill(wide.repeat(256)) }],
    ["the longest identity", { identity: { kind: wide.repeat(64), id: wide.repeat(256) } }],
    ["the longest environment", { environment: wide.repeat(64) }],
    ["100 values", { values: Array(100).fill(-1.5) }],
    ["one value as range", { valueMin: 1, valueMax: 1 }],
    ["16 properties", manyProperties(16)],
    ["the longest property", properties([wide.repeat(256), wide.repeat(1024)])],
    ["every kind of scalar", properties(["a", ""], ["b", 0], ["c", false], ["d", null])],
    ["every kind of scalar of one property", properties(["a", "", 0, false, null])],
    ["100 scalars of each property", properties(["a", ...Array(100).fill("1")], ["b", ...Array(100).fill(1)])],
    ["an empty range of receive times", { receivedFromMs: 5, receivedUntilMs: 5 }],
  ])("takes %s", (_, filter) => {
    expect(faultOf(filter)).toBeUndefined();
  });

  it("takes every filter within the bounds", () => {
    fc.assert(fc.property(arbitraryQuery(0, 9), (query) => faultOf(query) === undefined));
  });

  it.each<[string, Partial<FilterQuery>, string]>([
    ["101 names", { names: Array(101).fill("a") }, "filter.names"],
    ["an empty name", { names: ["a", ""] }, "filter.names[1]"],
    ["a name of 257 characters", { names: [wide.repeat(257)] }, "filter.names[0]"],
    ["a name that is no Unicode", { names: [lone] }, "filter.names[0]"],
    ["an identity without a kind", { identity: { kind: "", id: "1" } }, "filter.identity.kind"],
    ["a kind of 65 characters", { identity: { kind: wide.repeat(65), id: "1" } }, "filter.identity.kind"],
    ["a kind that is no Unicode", { identity: { kind: lone, id: "1" } }, "filter.identity.kind"],
    ["an identity without an id", { identity: { kind: "user", id: "" } }, "filter.identity.id"],
    ["an identity of 257 characters", { identity: { kind: "user", id: wide.repeat(257) } }, "filter.identity.id"],
    ["an identity that is no Unicode", { identity: { kind: "user", id: lone } }, "filter.identity.id"],
    ["an environment of 65 characters", { environment: wide.repeat(65) }, "filter.environment"],
    ["an environment that is no Unicode", { environment: lone }, "filter.environment"],
    ["101 values", { values: Array(101).fill(1) }, "filter.values"],
    ["a value that is not finite", { values: [1, 2, 3, Number.NaN] }, "filter.values[3]"],
    ["a least value that is not finite", { valueMin: Number.NEGATIVE_INFINITY }, "filter.value_min"],
    ["a greatest value that is not finite", { valueMax: Number.POSITIVE_INFINITY }, "filter.value_max"],
    ["a greatest value below the least", { valueMin: 1, valueMax: 0.5 }, "filter.value_max"],
    ["17 properties", manyProperties(17), "filter.properties"],
    ["a property without a name", properties(["", 1]), "filter.properties"],
    ["a property name of 257 characters", properties([wide.repeat(257), 1]), "filter.properties"],
    ["a property name that is no Unicode", properties([lone, 1]), "filter.properties"],
    ["a text of 1,025 characters", properties(["orderId", wide.repeat(1025)]), 'filter.properties["orderId"]'],
    ["a text that is no Unicode", properties(["orderId", lone]), 'filter.properties["orderId"]'],
    ["a property that is not finite", properties(["a", 1], ["b", Number.NaN]), 'filter.properties["b"]'],
    ["101 scalars of a property", properties(["a", 1], ["b", ...Array(101).fill(1)]), 'filter.properties["b"]'],
    ["a property without a scalar", properties(["a", 1], ["b"]), 'filter.properties["b"]'],
    ["a text of 1,025 characters, behind others", properties(["a", "1", wide.repeat(1025)]), 'filter.properties["a"]'],
    ["a scalar that is not finite, behind others", properties(["a", "1", 1, Infinity]), 'filter.properties["a"]'],
    ["an end before the start", { receivedFromMs: 5, receivedUntilMs: 4 }, "filter.receive_time_until"],
  ])("refuses %s", (_, filter, field) => {
    expect(faultOf(filter)).toMatchObject({ reason: "FILTER_INVALID", violations: [{ field }] });
  });

  it.each([
    ["values", { values: Array(101).fill(1) }],
    ["scalars of a property", properties(["a", ...Array(101).fill(1)])],
  ])("says of too many %s how many there may be", (_, filter) => {
    expect(faultOf(filter)).toMatchObject({ violations: [{ message: "has more than 100" }] });
  });

  it("cuts a path to what an error may carry", () => {
    const { message = "", violations = [] } = faultOf(properties([wide.repeat(256), Number.NaN])) ?? {};

    expect(violations[0]?.field).toHaveLength(256);
    expect(message.length).toBeLessThan(300);
    expect(message.isWellFormed()).toBe(true);
  });
});
