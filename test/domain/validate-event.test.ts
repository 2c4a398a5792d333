import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import type { Violation } from "../../src/domain/errors.ts";
import { validateEvent } from "../../src/domain/validate-event.ts";
import type { EventInit } from "../support/events.ts";

const nowMs = Date.UTC(2026, 0, 31, 12);
const dayMs = 24 * 60 * 60 * 1000;
const emoji = "🛝";

function check(init: EventInit): Violation | undefined {
  return validateEvent(create(EventSchema, { name: "click", ...init }), nowMs);
}

function entries<T>(count: number, value: T): Record<string, T> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, value]));
}

/** A value in so many lists. */
function inLists(depth: number, value: JsonValue): JsonValue {
  return depth === 0 ? value : [inLists(depth - 1, value)];
}

function at(ms: number, nanos = 0): EventInit {
  return { time: { seconds: BigInt(ms) / 1000n, nanos } };
}

const property = (value: JsonValue): EventInit => ({ properties: { p: value } });

describe("validateEvent", () => {
  const inside: [string, EventInit][] = [
    ["nothing but a name", {}],
    ["an id of 128 characters", { id: "i".repeat(128) }],
    ["an id of 128 emoji, which are 256 UTF-16 units", { id: emoji.repeat(128) }],
    ["a name of 256 characters", { name: "n".repeat(256) }],
    ["a name of 256 emoji", { name: emoji.repeat(256) }],
    ["a name with spaces and any script", { name: "page view · страница · 页面" }],
    ["an environment of 64 characters", { environment: "e".repeat(64) }],
    ["16 identities", { identities: entries(16, "x") }],
    ["an identity kind of 64 characters", { identities: { ["k".repeat(64)]: "x" } }],
    ["an identity of 256 emoji", { identities: { user: emoji.repeat(256) } }],
    ["identities of kinds that JavaScript knows", { identities: { ["__proto__"]: "a", constructor: "b" } }],
    ["the first moment of 1970", at(0)],
    ["a time exactly 24 h ahead", at(nowMs + dayMs)],
    ["the last nanosecond of a second", at(nowMs, 999_999_999)],
    ["a time with milliseconds", { time: timestampFromMs(nowMs + 1) }],
    ["a value of zero", { value: 0 }],
    ["the largest value", { value: Number.MAX_VALUE }],
    ["the smallest value", { value: -Number.MAX_VALUE }],
    ["300 properties", { properties: entries(300, 1) }],
    ["a property with a name of 256 characters", { properties: { ["n".repeat(256)]: 1 } }],
    ["a property with a name of 256 emoji", { properties: { [emoji.repeat(256)]: 1 } }],
    ["properties of names that JavaScript knows", { properties: { ["__proto__"]: { a: 1 }, constructor: "b" } }],
    ["nested names without a length or over 256", property({ "": 1, ["n".repeat(257)]: 2 })],
    ["control characters in properties", property("tab\t, line\n, NUL\u0000")],
    ["a property nested 16 deep", property(inLists(15, 1))],
    ["a property whose innermost list, 16 deep, is empty", property(inLists(15, []))],
    ["a property of 16,384 bytes", property("x".repeat(16_381))],
    ["a property of 16,384 bytes in characters of three", property(`${"€".repeat(5460)}x`)],
    ["every kind of value", property([null, true, "text", 1.5, [], {}])],
    ["an empty Struct", { properties: {} }],
    ["output-only fields of any content", { cursor: "\u0000", entrance: "\ud800", receiveTime: { nanos: -1 } }],
  ];
  it.each(inside)("takes %s", (_, init) => {
    expect(check(init)).toBeUndefined();
  });

  const outside: [what: string, init: EventInit, field: string, message: RegExp][] = [
    ["an event without a name", { name: "" }, "name", /required/],
    ["an id of 129 characters", { id: "i".repeat(129) }, "id", /longer than 128/],
    ["an id of 129 emoji", { id: emoji.repeat(129) }, "id", /longer than 128/],
    ["a name of 257 characters", { name: "n".repeat(257) }, "name", /longer than 256/],
    ["a name of 257 emoji", { name: emoji.repeat(257) }, "name", /longer than 256/],
    ["an environment of 65 characters", { environment: "e".repeat(65) }, "environment", /longer than 64/],
    ["17 identities", { identities: entries(17, "x") }, "identities", /more than 16/],
    ["an identity without a kind", { identities: { "": "x" } }, "identities", /entry without a kind/],
    ["an identity kind of 65 characters", { identities: { ["k".repeat(65)]: "x" } }, "identities", /longer than 64/],
    ["an empty identity", { identities: { user: "" } }, 'identities["user"]', /required/],
    ["an identity of 257", { identities: { user: emoji.repeat(257) } }, 'identities["user"]', /longer than 256/],
    ["a bad identity of kind __proto__", { identities: { ["__proto__"]: "" } }, 'identities["__proto__"]', /required/],
    ["a time in 1969", at(-1000), "time", /before 1970/],
    ["a time in 1969, by a nanosecond", { time: { seconds: -1n, nanos: 999_999_999 } }, "time", /before 1970/],
    ["negative nanos", at(nowMs, -1), "time.nanos", /0 to 999,999,999/],
    ["a billion nanos", at(nowMs, 1_000_000_000), "time.nanos", /0 to 999,999,999/],
    ["a time 24 h and a nanosecond ahead", at(nowMs + dayMs, 1), "time", /future/],
    ["a time 24 h and a second ahead", at(nowMs + dayMs + 1000), "time", /future/],
    ["the year 9999", { time: { seconds: 253_402_300_799n } }, "time", /future/],
    ["the last moment that an int64 can say", { time: { seconds: (1n << 63n) - 1n } }, "time", /future/],
    ["the first moment that an int64 can say", { time: { seconds: -(1n << 63n) } }, "time", /before 1970/],
    ["301 properties", { properties: entries(301, 1) }, "properties", /more than 300/],
    ["a property without a name", { properties: { "": 1 } }, "properties", /without a name/],
    ["a property name of 257", { properties: { ["n".repeat(257)]: 1 } }, "properties", /longer than 256/],
    ["a property name that is not Unicode", { properties: { "\ud800": 1 } }, "properties", /not valid Unicode/],
    ["a nested name that is not Unicode", property({ "\udc00": 1 }), "properties.p", /not valid Unicode/],
    ["a property nested 17 deep", property(inLists(16, 1)), `properties.p${"[0]".repeat(16)}`, /deeper than 16/],
    ["a property of 16,385 bytes", property("x".repeat(16_382)), "properties.p", /larger than 16384/],
    ["one of 16,385 bytes of three", property(`${"€".repeat(5460)}xx`), "properties.p", /larger than 16384/],
    ["one that is large by its structure", property(Array(1500).fill(1)), "properties.p", /larger than 16384/],
    [
      "a large one called __proto__",
      { properties: { ["__proto__"]: "x".repeat(16_382) } },
      "properties.__proto__",
      /larger/,
    ],
  ];
  it.each(outside)("refuses %s", (_, init, field, message) => {
    expect(check(init)).toEqual({ field, message: expect.stringMatching(message) });
  });

  const textFields: [field: string, init: (text: string) => EventInit, path: string][] = [
    ["id", (id) => ({ id }), "id"],
    ["name", (name) => ({ name }), "name"],
    ["environment", (environment) => ({ environment }), "environment"],
    ["an identity kind", (kind) => ({ identities: { [kind]: "x" } }), "identities"],
    ["an identity", (user) => ({ identities: { user } }), 'identities["user"]'],
  ];
  const badTexts: [what: string, text: string, message: RegExp][] = [
    ["NUL", "a\u0000b", /control character/],
    ["a line break", "a\n", /control character/],
    ["the last of the C0 controls", "a\u001f", /control character/],
    ["DEL", "a\u007f", /control character/],
    ["the last of the C1 controls", "a\u009f", /control character/],
    ["a lone high surrogate", "a\ud83d", /not valid Unicode/],
    ["a lone low surrogate", "\udc00a", /not valid Unicode/],
  ];
  it.each(textFields.flatMap((field) => badTexts.map((text) => [...field, ...text] as const)))(
    "refuses %s: %s",
    (_field, init, path, _what, text, message) => {
      expect(check(init(text))).toEqual({ field: path, message: expect.stringMatching(message) });
    },
  );
  it.each(textFields)("takes %s with the characters next to the controls", (_, init) => {
    expect(check(init("\u0020~\u00a0"))).toBeUndefined();
  });

  const bad: [string, number][] = [
    ["NaN", Number.NaN],
    ["infinity", Number.POSITIVE_INFINITY],
    ["negative infinity", Number.NEGATIVE_INFINITY],
  ];
  const places: [string, (value: number) => EventInit, string][] = [
    ["value", (value) => ({ value }), "value"],
    ["a property", property, "properties.p"],
    ["a list", (value) => property([0, value]), "properties.p[1]"],
    ["a nested Struct", (value) => property({ a: { b: value } }), "properties.p.a.b"],
    ["a Struct in lists", (value) => property([[1, { price: value }]]), "properties.p[0][1].price"],
    ["a property called __proto__", (value) => ({ properties: { ["__proto__"]: value } }), "properties.__proto__"],
  ];
  it.each(places.flatMap((place) => bad.map((number) => [...place, ...number] as const)))(
    "refuses in %s a number that is %4$s",
    (_place, init, field, _name, value) => {
      expect(check(init(value))).toEqual({ field, message: "is not finite" });
    },
  );

  it("reads the size of a property by its encoding, not by its text", () => {
    const words: JsonObject = entries(900, "abcd");

    expect(check(property(words))).toBeUndefined();
  });

  it("names the first of several faults", () => {
    expect(check({ id: "\u0000", name: "", value: Number.NaN })).toMatchObject({ field: "id" });
  });

  it.each([
    ["a long name", "n".repeat(256)],
    ["a name of pairs that the cut splits", emoji.repeat(200)],
  ])("cuts the path of a fault to 256 well-formed characters: %s", (_, name) => {
    const field = check({ properties: { [name]: Number.NaN } })?.field ?? "";

    expect(field).toHaveLength(256);
    expect(field.isWellFormed()).toBe(true);
    expect(field.endsWith("…")).toBe(true);
  });
});
