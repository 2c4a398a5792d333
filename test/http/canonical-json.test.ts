import type { JsonValue } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalJson } from "../../src/http/canonical-json.ts";
import { reverseKeys } from "../support/reverse-keys.ts";

/** As parsed from a request. */
const json = fc.jsonValue().map((value): JsonValue => JSON.parse(JSON.stringify(value)));

describe("canonicalJson", () => {
  it("is JSON of the same value, whatever the order of keys", () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(JSON.parse(canonicalJson(value))).toEqual(value);
        expect(canonicalJson(reverseKeys(value))).toBe(canonicalJson(value));
      }),
    );
  });

  it.each<[value: JsonValue, text: string]>([
    [{ b: 1, a: { d: [2, { f: null, e: true }], c: "x" } }, '{"a":{"c":"x","d":[2,{"e":true,"f":null}]},"b":1}'],
    [JSON.parse('{"b":1,"__proto__":{"a":2}}'), '{"__proto__":{"a":2},"b":1}'],
    ["\ud800", '"\\ud800"'],
  ])("prints %j as %s", (value, text) => {
    expect(canonicalJson(value)).toBe(text);
  });

  it("takes any depth", () => {
    const deep: JsonValue = JSON.parse(`${"[".repeat(100_000)}${"]".repeat(100_000)}`);
    expect(canonicalJson(deep)).toBe(`${"[".repeat(65)}${"]".repeat(65)}`);
  });
});
