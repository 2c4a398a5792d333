import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { WireReader } from "../../src/domain/wire-reader.ts";

function readerOf(bytes: Uint8Array): WireReader {
  const reader = new WireReader();
  reader.begin(bytes);
  return reader;
}

describe("WireReader", () => {
  it("reads varints and doubles as they are written", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.double(), (integer, double) => {
        const reader = readerOf(new BinaryWriter().uint32(integer).double(double).finish());

        expect([reader.varint(), reader.double()]).toEqual([integer, double]);
        expect(reader.pos).toBe(reader.bytes.length);
      }),
    );
  });

  it("gets past a varint of 64 bits, and reads its lowest 32", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (integer) => {
        const reader = readerOf(new BinaryWriter().int64(integer).uint32(7).finish());

        expect([reader.varint(), reader.varint()]).toEqual([Number(BigInt.asUintN(32, integer)), 7]);
      }),
    );
  });

  it("skips every field but a group", () => {
    const bytes = new BinaryWriter()
      .tag(1, WireType.Varint)
      .int64(-1n)
      .tag(2, WireType.Bit64)
      .double(1)
      .tag(3, WireType.Bit32)
      .float(1)
      .tag(4, WireType.LengthDelimited)
      .bytes(new Uint8Array(300))
      .tag(500, WireType.Varint)
      .bool(true)
      .finish();
    const reader = readerOf(bytes);
    let count = 0;
    for (; reader.pos < bytes.length; count++) reader.skip(reader.varint());

    expect([count, reader.pos]).toEqual([5, bytes.length]);
    expect(() => reader.skip((1 << 3) | WireType.StartGroup)).toThrow("group");
  });

  it("comes to an end with whatever it is given", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat({ max: 200 }), (bytes, tag) => {
        const reader = readerOf(bytes);
        try {
          reader.enterLast(tag, bytes.length);
        } catch (thrown) {
          expect(String(thrown)).toContain("group");
        }
      }),
    );
  });
});
