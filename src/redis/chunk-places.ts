/** What a full chunk takes. */
export const wholePlace = 100;

/**
 * The places of chunks that are with Redis, of all projects together, handed out in turn: a project that has one chunk to
 * send waits for one of each other at most. Without it, what many projects send at once would make the last of it wait
 * for longer than a reply may take, and a healthy Redis look silent.
 *
 * Places are counted in hundredths, and a small chunk takes few: the small ones of many projects then share an fsync.
 */
export interface ChunkPlaces {
  /**
   * Has `send` called once, in turn, when something is left; it says what it took, and may ask again at once, for the next
   * round. No effect while it waits for its turn.
   */
  ask(send: () => number): void;
  /** Gives back what was taken. */
  free(taken: number): void;
}

/** Places for so many full chunks; the last to take one may take more than is left. */
export function createChunkPlaces(count: number): ChunkPlaces {
  const asking = new Set<() => number>();
  let left = count * wholePlace;
  let isHandingOut = false;

  function handOut(): void {
    if (isHandingOut) return;
    isHandingOut = true;
    // Those who ask again meanwhile come last.
    for (const send of asking) {
      if (left <= 0) break;
      asking.delete(send);
      left -= send();
    }
    isHandingOut = false;
  }

  return {
    ask(send) {
      asking.add(send);
      handOut();
    },
    free(taken) {
      left += taken;
      handOut();
    },
  };
}
