/** How many entries a command is to read, as XRANGE can only be told a count. */
export interface StepSize {
  count(): number;
  /** Tells what was read. */
  learn(entryCount: number, bytes: number): void;
}

/** What one command reads at most, in entries. */
const entriesMax = 500;

/** What one command should read at most, in bytes. */
const bytesAim = 1 << 20;

/** Entries to read while nothing is known of their sizes. */
const entriesAtFirst = 10;

/** How many times as many are read next: a few small entries say little of those behind them. */
const growthMax = 10;

/** Learns how large entries are from those that were read last. */
export function createStepSize(): StepSize {
  let next = entriesAtFirst;
  return {
    count: () => next,
    learn(entryCount, bytes) {
      if (entryCount === 0) return;
      const fitting = Math.floor((bytesAim * entryCount) / Math.max(1, bytes));
      next = Math.max(1, Math.min(entriesMax, fitting, growthMax * entryCount));
    },
  };
}
