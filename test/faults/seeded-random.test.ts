import { describe, expect, it } from "vitest";
import { createSeededRandom, type SeededRandom } from "./seeded-random.ts";

const draw = (random: SeededRandom) => Array.from({ length: 20 }, () => random.between(1, 6));

describe("createSeededRandom", () => {
  it("makes the same choices for the same seed, and others for another", () => {
    expect(draw(createSeededRandom(7))).toEqual(draw(createSeededRandom(7)));
    expect(draw(createSeededRandom(7))).not.toEqual(draw(createSeededRandom(8)));
  });

  it("stays within bounds, and reaches both", () => {
    const random = createSeededRandom(1);
    const drawn = new Set(Array.from({ length: 1000 }, () => random.between(1, 6)));
    expect([...drawn].sort()).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it("keeps all items when it shuffles", () => {
    const shuffled = createSeededRandom(1).shuffle(["a", "b", "c", "d"]);
    expect(shuffled.toSorted()).toEqual(["a", "b", "c", "d"]);
  });

  it("gives a fork choices of its own, whatever was drawn before", () => {
    const [fresh, used] = [createSeededRandom(7), createSeededRandom(7)];
    draw(used);
    expect(draw(used.fork("a"))).toEqual(draw(fresh.fork("a")));
    expect(draw(fresh.fork("a"))).not.toEqual(draw(fresh.fork("b")));
  });
});
