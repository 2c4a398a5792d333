import type { JsonObject } from "@bufbuild/protobuf";
import { fromBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import type { EventFilter, PropertyScalar } from "../../src/domain/event-filter.ts";
import { everyEvent } from "../../src/domain/event-filter.ts";
import { createMatcher } from "../../src/domain/match-event.ts";
import type { StoredEvent } from "../../src/domain/ports.ts";
import { arbitraryEvent } from "../support/arbitrary-events.ts";
import { arbitraryInit, arbitraryQuery, environmentNames, matchesDecoded } from "../support/arbitrary-filters.ts";
import type { EventInit } from "../support/events.ts";
import { encodeEvent } from "../support/events.ts";
import { field, join, varint } from "../support/wire-fields.ts";

const storedMs = 1_700_000_000_000;

function stored(bytes: Uint8Array, overrides: Partial<StoredEvent> = {}): StoredEvent {
  return {
    position: { epoch: "epoch-------", ms: storedMs, seq: 0 },
    bytes,
    entrance: "grpc",
    assignedId: undefined,
    isTimeAbsent: true,
    isTest: false,
    ...overrides,
  };
}

function isMatch(filter: Partial<EventFilter>, init: EventInit): boolean {
  return createMatcher({ ...everyEvent, ...filter })(stored(encodeEvent({ name: "click", ...init })));
}

const arbitraryFilter: fc.Arbitrary<EventFilter> = fc
  .tuple(arbitraryQuery(storedMs, 1), fc.subarray([...environmentNames, ""]))
  .map(([query, environments]) => ({ ...query, environments }));

describe("createMatcher", () => {
  it("finds in an encoding what decoding it finds", () => {
    let matchCount = 0;
    let runCount = 0;
    fc.assert(
      fc.property(arbitraryInit, arbitraryFilter, fc.boolean(), (init, filter, isTest) => {
        const event = stored(encodeEvent(init), { isTest });
        const isExpected = matchesDecoded(filter, event);
        runCount++;
        if (isExpected) matchCount++;

        expect(createMatcher(filter)(event)).toBe(isExpected);
      }),
      { numRuns: 5000 },
    );
    // Else it would show little.
    expect(matchCount).toBeGreaterThan(runCount / 50);
  });

  it("takes the last of what is there twice, and adds up properties, as decoders do", () => {
    fc.assert(
      fc.property(fc.array(arbitraryInit, { minLength: 2, maxLength: 3 }), arbitraryFilter, (inits, filter) => {
        const event = stored(join(...inits.map(encodeEvent)));

        expect(createMatcher(filter)(event)).toBe(matchesDecoded(filter, event));
      }),
      { numRuns: 2000 },
    );
  });

  it("finds each part of any event", () => {
    fc.assert(
      fc.property(arbitraryEvent, (init) => {
        const bytes = encodeEvent(init);
        const { name, environment, identities, value, properties = {} } = fromBinary(EventSchema, bytes);
        const isFound = (filter: Partial<EventFilter>) => createMatcher({ ...everyEvent, ...filter })(stored(bytes));

        expect(isFound({ names: [name], environments: [environment] })).toBe(true);
        expect(isFound({ names: [`${name}.`] })).toBe(false);
        for (const [kind, id] of Object.entries(identities)) expect(isFound({ identity: { kind, id } })).toBe(true);
        if (value !== undefined && Number.isFinite(value)) expect(isFound({ values: [value] })).toBe(true);
        for (const [key, json] of Object.entries(properties)) {
          if (typeof json === "object" && json !== null) continue;
          if (typeof json === "number" && !Number.isFinite(json)) continue;
          expect(isFound({ properties: new Map([[key, [json]]]) })).toBe(true);
          expect(isFound({ properties: new Map([[key, ["no such text", -1.25, json]]]) })).toBe(true);
        }
      }),
    );
  });

  it("reads any number of events with the same matcher", () => {
    fc.assert(
      fc.property(fc.array(arbitraryInit), arbitraryFilter, (inits, filter) => {
        const events = inits.map((init) => stored(encodeEvent(init)));

        expect(events.filter(createMatcher(filter))).toEqual(events.filter((event) => matchesDecoded(filter, event)));
      }),
    );
  });

  it.each<[PropertyScalar, string, JsonObject, boolean]>([
    ["404", "the number", { p: 404 }, true],
    ["404", "the string", { p: "404" }, true],
    ["404", "another number", { p: 4040 }, false],
    ["404.0", "the number, written otherwise", { p: 404 }, false],
    ["1e+21", "the number as JSON writes it", { p: 1e21 }, true],
    ["0", "minus zero, which JSON writes as 0", { p: -0 }, true],
    ["true", "the boolean", { p: true }, true],
    ["true", "the other boolean", { p: false }, false],
    ["null", "null", { p: null }, false],
    ["", "zero", { p: 0 }, false],
    ["", "the empty string", { p: "" }, true],
    [404, "the string", { p: "404" }, false],
    [0, "false", { p: false }, false],
    [false, "the string", { p: "false" }, false],
    [false, "zero", { p: 0 }, false],
    [null, "null", { p: null }, true],
    [null, "nothing", {}, false],
    [null, "a list with null", { p: [1, null] }, true],
    ["a", "a list with it", { p: [1, {}, "a", true] }, true],
    ["404", "a list with the number", { p: [404] }, true],
    ["a", "a list without it", { p: ["b", "aa"] }, false],
    ["a", "an empty list", { p: [] }, false],
    ["a", "a list in the list", { p: [["a"]] }, false],
    ["a", "an object with it", { p: { p: "a" } }, false],
    ["a", "it, of another property", { q: "a" }, false],
  ])("compares the property %j with %s", (wanted, _, properties, isExpected) => {
    expect(isMatch({ properties: new Map([["p", [wanted]]]) }, { properties })).toBe(isExpected);
    expect(isMatch({ properties: new Map([["p", ["b.", wanted, -7]]]) }, { properties })).toBe(isExpected);
  });

  it.each<[PropertyScalar[], JsonObject, boolean]>([
    [["a", "b"], { p: "a" }, true],
    [["a", "b"], { p: "b" }, true],
    [["a", "b"], { p: "ab" }, false],
    [["a", "b"], { p: "" }, false],
    [["a", "a"], { p: "a" }, true],
    [["a", 1], { p: 1 }, true],
    [["a", 1], { p: "1" }, false],
    [["2", 1], { p: 2 }, true],
    [[1, "2", 3], { p: 3 }, true],
    [[1, "2", 3], { p: 4 }, false],
    [[false, true], { p: true }, true],
    [["true", false], { p: true }, true],
    [[false, null], { p: true }, false],
    [[false, null], { p: null }, true],
    [[1, "a"], { p: null }, false],
    [[1, "a"], {}, false],
    [["a", "b"], { p: ["c", "b"] }, true],
    [["a", 1], { p: ["c", 1] }, true],
    [["a", 1], { p: ["c", "1"] }, false],
    [["a", "b"], { p: [["a"], { a: "b" }] }, false],
    [["a", "b"], { q: "a" }, false],
  ])("finds any of the scalars %j in %j", (wanted, properties, isExpected) => {
    for (const scalars of [wanted, wanted.toReversed()]) {
      expect(isMatch({ properties: new Map([["p", scalars]]) }, { properties })).toBe(isExpected);
    }
  });

  it("finds no property that may equal nothing", () => {
    expect(isMatch({ properties: new Map([["p", []]]) }, { properties: { p: null } })).toBe(false);
  });

  it("asks for every property", () => {
    const properties = new Map<string, PropertyScalar[]>([
      ["a", [1, 3]],
      ["b", [2]],
    ]);

    expect(isMatch({ properties }, { properties: { b: 2, a: 1 } })).toBe(true);
    expect(isMatch({ properties }, { properties: { b: 2, a: 3 } })).toBe(true);
    expect(isMatch({ properties }, { properties: { b: 2, a: 2 } })).toBe(false);
    expect(isMatch({ properties }, { properties: { a: 1 } })).toBe(false);
  });

  it.each<[string, Partial<EventFilter>]>([
    ["one of some values", { values: [0] }],
    ["a least value", { valueMin: -1 }],
    ["a greatest value", { valueMax: 1 }],
  ])("finds no event without a value when asked for %s", (_, filter) => {
    expect(isMatch(filter, {})).toBe(false);
    expect(isMatch(filter, { value: 0 })).toBe(true);
    expect(isMatch(filter, { value: filter.valueMax === undefined ? -2 : 2 })).toBe(false);
  });

  it.each([
    ["at the start", storedMs, true],
    ["before it", storedMs - 1, false],
    ["just before the end", storedMs + 9, true],
    ["at the end", storedMs + 10, false],
  ])("bounds the receive time: %s", (_, ms, isExpected) => {
    const matches = createMatcher({ ...everyEvent, receivedFromMs: storedMs, receivedUntilMs: storedMs + 10 });

    expect(matches(stored(encodeEvent({ name: "click" }), { position: { epoch: "e", ms, seq: 0 } }))).toBe(isExpected);
  });

  const value = {
    one: Uint8Array.of(17, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f),
    text: field(3, "a"),
    list: field(6, field(1, field(3, "a"))),
    otherList: field(6, field(1, field(3, "b"))),
    struct: field(5),
    yes: varint(4, 1),
    null: varint(1, 0),
  };
  it.each<[string, Uint8Array[]]>([
    ["a value of two kinds", [field(2, value.text, value.one)]],
    ["a value of two other kinds", [field(2, value.one, value.text)]],
    ["a list and then a text", [field(2, value.list, field(3, "b"))]],
    ["two lists", [field(2, value.list, value.otherList)]],
    ["two lists, a text between them", [field(2, value.list, field(3, "b"), value.otherList)]],
    ["a list in each of two values", [field(2, value.list), field(2, value.otherList)]],
    ["a text, and an object after it", [field(2, value.text, value.struct)]],
    ["null after true", [field(2, value.yes, value.null)]],
    ["a list whose element has two kinds", [field(2, field(6, field(1, value.text, value.yes)))]],
  ])("reads an unusual encoding as a decoder does: %s", (_, values) => {
    for (const parts of [
      [field(1, "p"), ...values],
      [...values, field(1, "p")],
      [field(1, "q"), ...values, field(1, "p")],
    ]) {
      const event = stored(join(encodeEvent({ name: "click" }), field(6, field(1, ...parts))));
      for (const wanted of [["a"], ["b"], [1], [true], [null], ["a", 1], ["b", null], [true, "c", 1]]) {
        const filter: EventFilter = { ...everyEvent, properties: new Map([["p", wanted]]) };

        expect(createMatcher(filter)(event)).toBe(matchesDecoded(filter, event));
      }
    }
  });

  it("gets past everything that an event may hold", () => {
    const bytes = encodeEvent({
      id: "x".repeat(128),
      name: "n".repeat(200),
      time: { seconds: 253_402_300_799n, nanos: 999_999_999 },
      value: 1,
      properties: { long: "y".repeat(16_000), longer: "z".repeat(16_300), p: 1 },
      test: true,
      environment: "production",
    });
    const filter = {
      ...everyEvent,
      names: ["n".repeat(200)],
      environments: ["production"],
      values: [1],
      properties: new Map([["p", ["1", 2, 1]]]),
    };

    expect(createMatcher(filter)(stored(bytes))).toBe(true);
  });
});
