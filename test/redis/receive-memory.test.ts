import { describe, expect, it } from "vitest";
import { createReceiveMemory } from "../../src/redis/receive-memory.ts";

describe("createReceiveMemory", () => {
  it("lays one piece behind the other, and offers 64 KiB at least", () => {
    const memory = createReceiveMemory();
    const pieces = Array.from({ length: 10 }, (_, i) => {
      const free = memory.next();
      expect(free.length).toBeGreaterThanOrEqual(64 << 10);
      free.fill(i, 0, 50_000);
      return memory.take(50_000);
    });

    expect(pieces.map((piece) => piece.length)).toEqual(pieces.map(() => 50_000));
    expect(pieces.map((piece, i) => piece.every((byte) => byte === i))).not.toContain(false);
    expect(pieces[1]?.buffer).toBe(pieces[0]?.buffer);
    expect(pieces[1]?.byteOffset).toBe(50_000);
  });
});
