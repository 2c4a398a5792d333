import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isTextIn, toTextSet } from "../../src/domain/text-set.ts";
import { WireReader } from "../../src/domain/wire-reader.ts";

/** Whether a text is found that stands in the midst of others. */
function isFound(text: string, texts: readonly string[]): boolean {
  const reader = new WireReader();
  const bytes = Buffer.from(text);
  reader.begin(Buffer.concat([Buffer.from("b"), bytes, Buffer.from("a")]));
  reader.pos = 1;
  const isIn = isTextIn(reader, 1 + bytes.length, toTextSet(texts));
  expect(reader.pos).toBe(1);
  return isIn;
}

// Of few characters, so that texts have beginnings in common; in UTF-16 the last two are the other way round.
const text = fc.string({ unit: fc.constantFrom("a", "b", "ü", "\uffee", "🛝"), maxLength: 4 });

describe("isTextIn", () => {
  it("finds each text of a set, whatever their order, and no other", () => {
    fc.assert(
      fc.property(fc.array(text, { maxLength: 100, size: "max" }), fc.array(text), (texts, others) => {
        for (const one of [...texts, ...others]) expect(isFound(one, texts)).toBe(texts.includes(one));
      }),
    );
  });

  it.each([
    ["", [], false],
    ["", [""], true],
    ["a", ["", "aa"], false],
    ["ab", ["ba", "ab", "aa"], true],
  ])("looks for %j in %j", (one, texts, isExpected) => {
    expect(isFound(one, texts)).toBe(isExpected);
  });
});
