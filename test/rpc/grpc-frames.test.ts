import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { GrpcFrame } from "../../src/rpc/grpc-frames.ts";
import { FrameReader } from "../../src/rpc/grpc-frames.ts";
import { collectGarbage } from "../support/collect-garbage.ts";
import { frame } from "../support/raw-grpc.ts";

const bytesMax = 1000;

function takeAll(reader: FrameReader): GrpcFrame[] {
  const frames: GrpcFrame[] = [];
  for (let next = reader.take(); next !== undefined; next = reader.take()) frames.push(next);
  return frames;
}

describe("a FrameReader", () => {
  it("gives the same messages however their bytes are cut", () => {
    const message = fc.record({ bytes: fc.uint8Array({ maxLength: 300 }), isCompressed: fc.boolean() });
    fc.assert(
      fc.property(fc.array(message), fc.array(fc.nat({ max: 40 })), (messages, cuts) => {
        const wire = Buffer.concat(messages.map(({ bytes, isCompressed }) => frame(bytes, isCompressed)));
        const reader = new FrameReader(bytesMax);
        const frames: GrpcFrame[] = [];
        let at = 0;
        for (const length of [...cuts, wire.length]) {
          reader.push(wire.subarray(at, at + length));
          frames.push(...takeAll(reader));
          at += length;
        }

        expect(frames.map(({ bytes, isCompressed }) => ({ bytes: Uint8Array.from(bytes), isCompressed }))).toEqual(
          messages,
        );
        expect(reader.isInside()).toBe(false);
      }),
    );
  });

  it("gives messages that do not change with what they came in", () => {
    const reader = new FrameReader(bytesMax);
    const received = Buffer.from(frame(Uint8Array.of(1, 2, 3)));
    reader.push(received);
    const taken = reader.take();
    received.fill(0);

    expect(taken?.bytes).toEqual(Buffer.of(1, 2, 3));
  });

  it.each([1, 4, 5, 6])("is inside a message of which %i bytes have come", (length) => {
    const reader = new FrameReader(bytesMax);
    reader.push(Buffer.from(frame(Uint8Array.of(1, 2, 3))).subarray(0, length));

    expect(reader.take()).toBeUndefined();
    expect(reader.isInside()).toBe(true);
  });

  it.each([1, 5])("refuses a message by the size that it announces, its head in pieces of %i bytes", (size) => {
    const head = Buffer.from(frame(new Uint8Array(bytesMax + 1))).subarray(0, 5);
    const reader = new FrameReader(bytesMax);
    const takes = () => {
      for (let at = 0; at < head.length; at += size) {
        reader.push(head.subarray(at, at + size));
        reader.take();
      }
    };

    expect(takes).toThrow(RangeError);
  });

  it("lets go of what was received once it is read", async () => {
    const reader = new FrameReader(bytesMax);
    const push = () => {
      const received = Buffer.from(new Uint8Array(65_536).buffer, 0, frame(new Uint8Array()).length);
      reader.push(received);
      return new WeakRef(received.buffer);
    };
    const received = push();
    expect(reader.take()?.bytes).toHaveLength(0);
    expect(reader.take()).toBeUndefined();

    await collectGarbage();

    expect(received.deref() === undefined).toBe(true);
  });

  it("takes a message as large as may be", () => {
    const reader = new FrameReader(bytesMax);
    reader.push(Buffer.from(frame(new Uint8Array(bytesMax))));

    expect(reader.take()?.bytes).toHaveLength(bytesMax);
  });
});
