import type { JsonObject } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SluiceError } from "../../src/domain/errors.ts";
import { parseForm } from "../../src/http/parse-form.ts";

function failureOf(text: string): unknown {
  try {
    parseForm(text);
  } catch (thrown) {
    return thrown;
  }
  return undefined;
}

describe("parseForm", () => {
  it.each<[string, JsonObject]>([
    ["", {}],
    ["&&", {}],
    ["a=1", { a: "1" }],
    ["a=", { a: "" }],
    ["a", { a: "" }],
    ["=1", { "": "1" }],
    ["a=b=c", { a: "b=c" }],
    ["&a=1&&b=2&", { a: "1", b: "2" }],
    ["a+b=c+d", { "a b": "c d" }],
    ["a=1%2B1%3D2%26", { a: "1+1=2&" }],
    ["na%C3%AFve=%F0%9F%8E%89", { naïve: "🎉" }],
    ["naïve=é", { naïve: "é" }],
    ["a=1&a=2&a=1", { a: ["1", "2", "1"] }],
    ["a=1&b=2&a=3", { a: ["1", "3"], b: "2" }],
    ["a[]=1", { a: ["1"] }],
    ["a[]=1&a%5B%5D=2", { a: ["1", "2"] }],
    ["metadata[color]=blue", { metadata: { color: "blue" } }],
    ["metadata%5Bcolor%5D=blue&metadata[size]=4", { metadata: { color: "blue", size: "4" } }],
    ["metadata[tag]=a&metadata[tag]=b", { metadata: { tag: ["a", "b"] } }],
    ["metadata[a b]=1&metadata[a%26b]=2", { metadata: { "a b": "1", "a&b": "2" } }],
    ["metadata={%22a%22:1}", { metadata: '{"a":1}' }],
    ["[a]=1&a]=2&[=3&a[b=4&a[b]c=5&]=6", { "[a]": "1", "a]": "2", "[": "3", "a[b": "4", "a[b]c": "5", "]": "6" }],
    ["toString=1&constructor[name]=2", { toString: "1", constructor: { name: "2" } }],
  ])("reads %s", (text, expected) => {
    expect(parseForm(text)).toEqual(expected);
  });

  it("makes names of prototypes into properties like any other", () => {
    const form = parseForm("__proto__=1&a[__proto__]=2&constructor[prototype]=3");

    expect(JSON.stringify(form)).toBe('{"__proto__":"1","a":{"__proto__":"2"},"constructor":{"prototype":"3"}}');
    expect(JSON.stringify(parseForm("__proto__[polluted]=yes"))).toBe('{"__proto__":{"polluted":"yes"}}');
    expect(Reflect.get({}, "polluted")).toBeUndefined();
  });

  it.each([
    "%",
    "a=%",
    "a=%4",
    "a=%zz",
    "%zz=a",
    "a=%FF",
    "a=%C3",
    "a=%C0%80",
    "a=%ED%A0%80",
    "a[b][c]=1",
    "a[b][]=1",
    "a[][]=1",
    "a[[b]]=1",
    "a=1&a[]=2",
    "a[]=1&a=2",
    "a=1&a[b]=2",
    "a[b]=1&a=2",
    "a[]=1&a[b]=2",
  ])("refuses %s as malformed", (text) => {
    expect(failureOf(text)).toMatchObject({ reason: "MALFORMED" });
  });

  it("takes 1,000 pairs and no more", () => {
    expect(Object.keys(parseForm(Array.from({ length: 1000 }, (_, i) => `a${i}=1`).join("&")))).toHaveLength(1000);
    expect(failureOf(`${"a=1&".repeat(1000)}a=1`)).toMatchObject({ reason: "TOO_LARGE" });
    expect(failureOf("&".repeat(4 << 20))).toMatchObject({ reason: "TOO_LARGE" });
  });

  it("reads what URLSearchParams writes", () => {
    const text = fc.string({ unit: "grapheme" });
    const name = text.filter((it) => !it.includes("["));
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(name, text), { selector: ([it]) => it }), (pairs) => {
        expect(Object.entries(parseForm(new URLSearchParams(pairs).toString()))).toEqual(
          Object.entries(Object.fromEntries(pairs)),
        );
      }),
    );
  });

  it("gives an object or a SluiceError for any text", () => {
    const part = fc.constantFrom("a", "b", "__proto__", "[", "]", "[]", "[a]", "=", "&", "+", "%", "%5B", "%5D", "%ff");
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(part).map((parts) => parts.join("")),
    );
    fc.assert(
      fc.property(text, (form) => {
        const failure = failureOf(form);
        if (failure !== undefined) expect(failure).toBeInstanceOf(SluiceError);
      }),
    );
  });
});
