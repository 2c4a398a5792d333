import { describe, expect, it } from "vitest";
import { createChunkPlaces } from "../../src/redis/chunk-places.ts";

/** Senders with so many chunks each, all of which take the same; they ask in this order. */
function setUp(count: number, chunkCounts: Readonly<Record<string, number>>, taken: number) {
  const places = createChunkPlaces(count);
  const left = new Map(Object.entries(chunkCounts));
  const sent: string[] = [];
  for (const name of left.keys()) {
    const send = () => {
      const chunks = left.get(name) ?? 0;
      if (chunks === 0) return 0;
      left.set(name, chunks - 1);
      sent.push(name);
      places.ask(send);
      places.ask(send);
      return taken;
    };
    places.ask(send);
  }
  return { places, sent };
}

describe("createChunkPlaces", () => {
  it("hands places out in turn, whoever has how much to send", () => {
    const { places, sent } = setUp(1, { a: 4, b: 2, c: 1, idle: 0 }, 100);

    for (let i = 0; i < 7; i++) {
      expect(sent).toHaveLength(i + 1);
      places.free(100);
    }

    expect(sent.join("")).toBe("aabcaba");
  });

  it.each([
    ["full", 100, 12],
    ["half full", 50, 24],
    ["as small as they get", 1, 1200],
    ["larger than others may be", 400, 3],
    ["larger than what is left", 250, 5],
  ])("sends no more at a time than are 12 full ones, when chunks are %s", (_, taken, count) => {
    const { places, sent } = setUp(12, { a: 2000, b: 2000 }, taken);
    expect(sent).toHaveLength(count);

    places.free(taken);

    expect(sent).toHaveLength(count + 1);
  });
});
