import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chooseWidths, gapWidth } from "../../src/cli/column-widths.ts";

const exactly = (width: number) => ({ least: width, short: width, full: width });
const from = (least: number, full: number) => ({ least, short: full, full });

describe("chooseWidths", () => {
  it.each([
    ["all in full where there is room", 24, { a: 10, b: 12 }],
    ["the widest narrower", 22, { a: 10, b: 10 }],
    ["the widest narrower, down to their least", 14, { a: 4, b: 8 }],
    ["the first alone where there is no room for the others", 13, { a: 10 }],
    ["the first though there is no room for it", 3, { a: 4 }],
  ])("shows %s", (_, widthMax, expected) => {
    const widths = chooseWidths([["a", from(4, 10)] as const, ["b", from(8, 12)] as const], widthMax);

    expect(Object.fromEntries(widths)).toEqual(expected);
  });

  it("gives what one column has no room for to the next that fits", () => {
    const columns = [["a", exactly(10)] as const, ["b", exactly(20)] as const, ["c", exactly(5)] as const];

    expect([...chooseWidths(columns, 20).keys()]).toEqual(["a", "c"]);
  });

  it("takes a column in short before it narrows any", () => {
    const columns = [["a", { least: 20, short: 20, full: 24 }] as const, ["b", from(4, 30)] as const];

    expect([...chooseWidths(columns, 56).values()]).toEqual([24, 30]);
    expect([...chooseWidths(columns, 55).values()]).toEqual([20, 30]);
  });

  it("fits, and gives every column between its least and its full width", () => {
    const bounds = fc
      .tuple(fc.integer({ min: 1, max: 30 }), fc.nat(30), fc.nat(30))
      .map(([least, more, most]) => ({ least, short: least + more, full: least + more + most }));
    fc.assert(
      fc.property(fc.array(bounds, { minLength: 1, maxLength: 8 }), fc.integer({ min: 30, max: 200 }), (all, max) => {
        const widths = chooseWidths(
          all.map((one, i) => [i, one] as const),
          max,
        );

        const total = [...widths.values()].reduce((sum, width) => sum + gapWidth + width, -gapWidth);
        expect(total).toBeLessThanOrEqual(max);
        for (const [i, width] of widths) {
          expect(width).toBeGreaterThanOrEqual(all[i]?.least ?? 0);
          expect(width).toBeLessThanOrEqual(all[i]?.full ?? 0);
        }
      }),
    );
  });
});
