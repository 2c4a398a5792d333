import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Position } from "../../src/domain/cursor.ts";
import { isBefore, parseCursor, toCursor } from "../../src/domain/cursor.ts";

const base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const uint48 = fc.oneof(
  fc.maxSafeNat().map((n) => n % 2 ** 48),
  fc.constantFrom(0, 2 ** 24 - 1, 2 ** 24, 2 ** 48 - 1),
);
const arbitraryPosition: fc.Arbitrary<Position> = fc.record({
  epoch: fc.string({ unit: fc.constantFrom(...base64url), minLength: 12, maxLength: 12 }),
  ms: uint48,
  seq: uint48,
});
const position = { epoch: "abcdefghijkl", ms: 1_700_000_000_000, seq: 7 };
const cursor = toCursor(position);

describe("toCursor", () => {
  it("gives 32 base64url characters that parseCursor reads back", () => {
    fc.assert(
      fc.property(arbitraryPosition, (any) => {
        expect(toCursor(any)).toMatch(/^[\w-]{32}$/);
        expect(parseCursor(toCursor(any))).toEqual(any);
      }),
    );
  });

  it("is stable: cursors are kept by clients", () => {
    expect(cursor).toBe("AQAAabcdefghijklAYvP5WgAAAAAAAAH");
  });
});

describe("parseCursor", () => {
  it("reads back as the same text whatever it takes", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...base64url), minLength: 28, maxLength: 28 }), (rest) => {
        const parsed = parseCursor(`AQAA${rest}`);

        expect(parsed && toCursor(parsed)).toBe(`AQAA${rest}`);
      }),
    );
  });

  it("takes no text that is not a cursor, and never throws", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 40 }), (text) => {
        expect(parseCursor(text)).toBeUndefined();
      }),
    );
  });

  it.each([
    ["empty", ""],
    ["too short", cursor.slice(1)],
    ["too long", `${cursor}A`],
    ["padded", `${cursor.slice(0, 31)}=`],
    ["of standard base64", `${cursor.slice(0, 31)}+`],
    ["of another version", `Ag${cursor.slice(2)}`],
    ["of another partition", `AQAB${cursor.slice(4)}`],
    ["one with a line break", `${cursor.slice(0, 31)}\n`],
  ])("refuses a text that is %s", (_, text) => {
    expect(parseCursor(text)).toBeUndefined();
  });
});

describe("isBefore", () => {
  it("orders by millisecond, then by sequence, and puts no position before itself", () => {
    fc.assert(
      fc.property(arbitraryPosition, arbitraryPosition, (a, b) => {
        expect(isBefore(a, b)).toBe(a.ms < b.ms || (a.ms === b.ms && a.seq < b.seq));
        expect(isBefore(a, a)).toBe(false);
      }),
    );
  });
});
