import type { JsonValue } from "@bufbuild/protobuf";
import { create, toJson } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import type { OfferedEvent } from "../../src/domain/event.ts";
import { printSent, toRejectedPayload } from "../../src/domain/rejected-payload.ts";
import { arbitraryEvent } from "../support/arbitrary-events.ts";
import type { EventInit } from "../support/events.ts";
import { encodeEvent, unreadableEvent } from "../support/events.ts";
import { field } from "../support/wire-fields.ts";

const full: EventInit = {
  id: "a",
  name: "click",
  identities: { user: "u", ["__proto__"]: "x" },
  time: timestampFromMs(0),
  value: 1.5,
  properties: { cart: [1, "x", null, { b: true }], ["__proto__"]: { c: "d" } },
  environment: "staging",
  test: true,
};

describe("toRejectedPayload", () => {
  it.each([
    ["bytes", encodeEvent(full)],
    ["a message", create(EventSchema, full)],
  ])("shows an event that came as %s as its JSON, and its environment", (_, offered) => {
    const payload = JSON.stringify(toJson(EventSchema, create(EventSchema, full)));

    expect(toRejectedPayload(offered)).toEqual({ environment: "staging", payload });
  });

  it.each<[string, OfferedEvent, string]>([
    ["bytes that are no event as base64", Buffer.from("not protobuf"), Buffer.from("not protobuf").toString("base64")],
    ["text that is no event as it is", unreadableEvent("is not JSON", '{"name":'), '{"name":'],
    ["nothing where there is no text", unreadableEvent("is not JSON"), ""],
    ["no bytes as an event without fields", new Uint8Array(), "{}"],
  ])("shows %s", (_, offered, payload) => {
    expect(toRejectedPayload(offered)).toEqual({ environment: "", payload });
  });

  it("shows the first bytes of an event that is too large to be judged", () => {
    const bytes = field(2, new Uint8Array(1 << 20));
    const { payload } = toRejectedPayload(bytes);

    expect(Buffer.from(payload, "base64").equals(bytes.subarray(0, 1500))).toBe(true);
    expect(payload).toHaveLength(2000);
  });

  it.each<[string, EventInit, string]>([
    ["a number that is not finite", { name: "a", properties: { price: Number.NaN } }, '"price":"NaN"'],
    ["a time that JSON has no form for", { name: "a", time: { seconds: 9n ** 18n, nanos: -1 } }, `"${9n ** 18n}"`],
    ["text that is not valid Unicode", { name: "a\ud800" }, '"a\\ud800"'],
  ])("shows %s, which may be why it was rejected", (_, init, shown) => {
    const { payload } = toRejectedPayload(create(EventSchema, init));

    expect(payload).toContain(shown);
    expect(payload).not.toContain("typeName");
    expect(() => JSON.parse(payload)).not.toThrow();
  });

  it.each<[string, OfferedEvent]>([
    ["one long text", create(EventSchema, { name: "🛝".repeat(300_000) })],
    ["long properties", create(EventSchema, { name: "a", properties: { p: "🛝".repeat(300_000) } })],
    [
      "many properties",
      create(EventSchema, { properties: Object.fromEntries(Array.from({ length: 1e5 }, (_, i) => [`${i}`, i])) }),
    ],
    [
      "many identities",
      create(EventSchema, { identities: Object.fromEntries(Array.from({ length: 1e5 }, (_, i) => [`${i}`, "x"])) }),
    ],
    ["many list items", create(EventSchema, { properties: { p: Array(1e5).fill(1) } })],
    ["text that is no JSON", unreadableEvent("is not JSON", "🛝".repeat(5000))],
  ])("cuts %s to 2,000 well-formed characters", (_, offered) => {
    const { payload } = toRejectedPayload(offered);

    expect(payload).toHaveLength(2000);
    expect(payload.endsWith("…")).toBe(true);
    expect(payload.isWellFormed()).toBe(true);
  });

  it("does not throw for an event that is nested without end", () => {
    const self: { [name: string]: typeof self } = {};
    self.self = self;

    expect(toRejectedPayload(create(EventSchema, { properties: self })).payload.length).toBeLessThanOrEqual(2000);
  });

  it("begins as the whole JSON does, whatever the event; is short and well-formed", () => {
    fc.assert(
      fc.property(arbitraryEvent, (init) => {
        const event = create(EventSchema, init);
        const { environment, payload } = toRejectedPayload(event);

        expect(payload.length).toBeLessThanOrEqual(2000);
        expect(payload.isWellFormed() && environment.isWellFormed()).toBe(true);
        expect(environment.length).toBeLessThanOrEqual(64);
        const whole = tryPrint(event);
        if (whole === undefined) return;
        expect(payload).toBe(whole.length <= 2000 ? whole : `${whole.slice(0, 1999)}…`.toWellFormed());
      }),
      { numRuns: 500 },
    );
  });

  it("never throws, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        expect(toRejectedPayload(bytes).payload.isWellFormed()).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("toRejectedPayload, of an event that a dialect refused", () => {
  it.each([
    ["the environment that it names", "staging", "staging"],
    ["as much of it as an environment can be called", "🛝".repeat(40), "🛝".repeat(32)],
    ["no environment where it names none", undefined, ""],
  ])("has %s", (_, environment, expected) => {
    const refused = { ...unreadableEvent("is wrong", '{"a":1}'), ...(environment !== undefined && { environment }) };

    expect(toRejectedPayload(refused)).toEqual({ environment: expected, payload: '{"a":1}' });
  });
});

describe("printSent", () => {
  const print = (json: JsonValue) => toRejectedPayload(unreadableEvent("is wrong", printSent(json))).payload;

  it.each<[string, JsonValue, string]>([
    ["an object as its JSON", { a: [null, { b: true }], c: "" }, '{"a":[null,{"b":true}],"c":""}'],
    ["a list as its JSON", [1, "x"], '[1,"x"]'],
    ["a text as it is", '{"a":', '{"a":'],
    ["a number", -0.5, "-0.5"],
    ["null", null, "null"],
  ])("shows %s", (_, json, shown) => {
    expect(print(json)).toBe(shown);
  });

  it.each<[string, JsonValue]>([
    ["a long text", "🛝".repeat(5000)],
    ["a long text in a list", ["🛝".repeat(5000)]],
    ["a long name", { ["🛝".repeat(5000)]: 1 }],
    ["many names", Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`${i}`, null]))],
    ["a long list", Array(100_000).fill(1)],
    ["a text of control characters", { a: "\u0001".repeat(1990) }],
    ["JSON that is nested deeper than a stack", JSON.parse(`${"[".repeat(200_000)}${"]".repeat(200_000)}`)],
  ])("cuts %s to 2,000 well-formed characters", (_, json) => {
    const text = printSent(json);

    expect(text).toHaveLength(2000);
    expect(text.endsWith("…")).toBe(true);
    expect(text.isWellFormed()).toBe(true);
  });

  it("begins as the whole JSON does, whatever it is", () => {
    const text = fc.string({ unit: "binary", maxLength: 900 });
    const json = fc.oneof(fc.jsonValue(), fc.array(text), fc.dictionary(text, fc.oneof(text, fc.jsonValue())));
    fc.assert(
      fc.property(json, (value) => {
        const sent: JsonValue = JSON.parse(JSON.stringify(value));
        const whole = typeof sent === "string" ? sent : JSON.stringify(sent);
        const shown = whole.length <= 2000 ? whole : `${whole.slice(0, 1999)}…`;
        expect(printSent(sent)).toBe(shown.toWellFormed());
      }),
      { numRuns: 300 },
    );
  });
});

function tryPrint(event: ReturnType<typeof create<typeof EventSchema>>): string | undefined {
  try {
    return JSON.stringify(toJson(EventSchema, event));
  } catch {
    return undefined;
  }
}
