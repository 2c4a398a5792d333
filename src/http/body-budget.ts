import { SluiceError } from "../domain/errors.ts";

/** Bytes that requests may take up at a time, all together, while their bodies are read and handled. */
export interface BodyBudget {
  /**
   * Does work that holds bodies, for an owner: a value that a Map can tell from others, kept only while the owner has
   * bytes. What the work's lease still has when the work settles is given back then.
   */
  run<T>(owner: unknown, work: (lease: BodyLease) => Promise<T>): Promise<T>;
}

/** What one request takes of a budget. */
export interface BodyLease {
  /**
   * Counts bytes that are about to be allocated. Throws OVERLOADED when they do not fit, be it the budget or its
   * owner's share of it; then they are not counted.
   */
  take(bytes: number): void;
  /** Gives back bytes that were taken and are not needed any more. */
  release(bytes: number): void;
}

/** As many owners have to be at it to keep the others out. */
const shares = 4;

/**
 * A budget of so many bytes, of which one owner gets a quarter at most. A body takes up to three times its size while
 * its buffer grows, so allow for that in a quarter.
 */
export function createBodyBudget(bytesMax: number): BodyBudget {
  const ownerBytesMax = Math.floor(bytesMax / shares);
  const takenByOwner = new Map<unknown, number>();
  let taken = 0;

  function add(owner: unknown, bytes: number): void {
    taken += bytes;
    const sum = (takenByOwner.get(owner) ?? 0) + bytes;
    if (sum === 0) takenByOwner.delete(owner);
    else takenByOwner.set(owner, sum);
  }

  return {
    async run(owner, work) {
      let held = 0;
      let isOver = false;
      const lease: BodyLease = {
        take(bytes) {
          // Whoever goes on behind the back of the work would never give it back.
          if (isOver) throw new SluiceError("CALL_ENDED", "the request was given up");
          if (taken + bytes > bytesMax) throw new SluiceError("OVERLOADED", "too many request bodies are held at once");
          if ((takenByOwner.get(owner) ?? 0) + bytes > ownerBytesMax) {
            throw new SluiceError("OVERLOADED", "too many request bodies of one sender are held at once");
          }
          add(owner, bytes);
          held += bytes;
        },
        release(bytes) {
          const returned = Math.min(bytes, held);
          add(owner, -returned);
          held -= returned;
        },
      };
      try {
        return await work(lease);
      } finally {
        isOver = true;
        lease.release(held);
      }
    },
  };
}
