/** Chance that can be had again: the same seed gives the same choices. */
export interface SeededRandom {
  /** From 0 up to, and without, 1. */
  fraction(): number;
  /** A whole number, both ends included. */
  between(min: number, max: number): number;
  chance(probability: number): boolean;
  /** Throws when there is nothing to pick from. */
  pick<T>(items: readonly T[]): T;
  /** The items in another order. */
  shuffle<T>(items: readonly T[]): T[];
  /** Another source: how often one of the two is asked does not change what the other answers. */
  fork(label: string): SeededRandom;
}

/** A source of chance for a seed: mulberry32. */
export function createSeededRandom(seed: number): SeededRandom {
  let state = seed >>> 0;

  function fraction(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  const between = (min: number, max: number) => min + Math.floor(fraction() * (max - min + 1));

  function pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new Error("there is nothing to pick from");
    return items[between(0, items.length - 1)] as T;
  }

  return {
    fraction,
    between,
    chance: (probability) => fraction() < probability,
    pick,
    shuffle: (items) =>
      items
        .map((item) => ({ item, rank: fraction() }))
        .sort((a, b) => a.rank - b.rank)
        .map(({ item }) => item),
    fork: (label) => createSeededRandom(hashLabel(label, seed)),
  };
}

/** A seed that nobody has chosen. */
export function drawSeed(): number {
  return Math.floor(Math.random() * 2 ** 32);
}

/** FNV-1a, begun with the seed. */
function hashLabel(label: string, seed: number): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (const byte of Buffer.from(label)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}
