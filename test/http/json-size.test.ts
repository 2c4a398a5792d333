import type { JsonValue } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isJsonLargerThan } from "../../src/http/json-size.ts";

const character = fc.constantFrom(
  "a",
  " ",
  '"',
  "\\",
  "\n",
  "\u0001",
  "\u007f",
  "é",
  "\u2028",
  "€",
  "🛝",
  "\ud800",
  "\udfff",
);

describe("isJsonLargerThan", () => {
  it("measures what JSON.stringify prints, to the byte", () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: character }), (value) => {
        const json: JsonValue = JSON.parse(JSON.stringify(value));
        const bytes = Buffer.byteLength(JSON.stringify(json));
        expect(isJsonLargerThan(json, bytes)).toBe(false);
        expect(isJsonLargerThan(json, bytes - 1)).toBe(true);
      }),
    );
  });

  it.each<[what: string, value: JsonValue, bytes: number]>([
    ["an empty object", {}, 2],
    ["an empty list", [], 2],
    ["a list of two", [1, 22], 6],
    ["characters that are escaped, and one that has three bytes", '"\n\u0001€', 15],
    ["half of a surrogate pair, which is escaped", "\ud800", 8],
    ["a key that JavaScript knows", JSON.parse('{"__proto__":[]}'), 16],
  ])("counts %s", (_, value, bytes) => {
    expect([isJsonLargerThan(value, bytes), isJsonLargerThan(value, bytes - 1)]).toEqual([false, true]);
  });

  it("takes any depth", () => {
    const deep: JsonValue = JSON.parse(`${"[".repeat(100_000)}${"]".repeat(100_000)}`);
    expect([isJsonLargerThan(deep, 200_000), isJsonLargerThan(deep, 199_999)]).toEqual([false, true]);
  });
});
