import { SluiceError } from "../domain/errors.ts";

/** Bytes that the bodies of requests may take up at a time, all together, while they are read and handled. */
export interface BodyBudget {
  /** Does work that holds bodies. What its lease still has when the work settles is given back then. */
  run<T>(work: (lease: BodyLease) => Promise<T>): Promise<T>;
}

/** What one request takes of a budget. */
export interface BodyLease {
  /** Counts bytes that are about to be allocated. Throws OVERLOADED when they do not fit; then they are not counted. */
  take(bytes: number): void;
  /** Gives back bytes that were taken and are not needed any more. */
  release(bytes: number): void;
}

/** A budget of so many bytes. A body takes up to three times its size while its buffer grows, so allow for that. */
export function createBodyBudget(bytesMax: number): BodyBudget {
  let taken = 0;

  return {
    async run(work) {
      let held = 0;
      let isOver = false;
      const lease: BodyLease = {
        take(bytes) {
          // Whoever goes on behind the back of the work would never give it back.
          if (isOver) throw new SluiceError("CALL_ENDED", "the request was given up");
          if (taken + bytes > bytesMax) throw new SluiceError("OVERLOADED", "too many request bodies are held at once");
          taken += bytes;
          held += bytes;
        },
        release(bytes) {
          const returned = Math.min(bytes, held);
          taken -= returned;
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
