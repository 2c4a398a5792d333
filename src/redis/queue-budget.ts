/** Bytes of events that may wait for storage: of one project, and, through its parent, of all. */
export interface QueueBudget {
  /** Whether this many bytes fit. */
  hasRoom(bytes: number): boolean;
  /** Takes the bytes, whether they fit or not. */
  take(bytes: number): void;
  release(bytes: number): void;
  /** Resolves when there is room for one more byte, or when aborted. */
  waitForRoom(signal?: AbortSignal): Promise<void>;
}

export function createQueueBudget(bytesMax: number, parent?: QueueBudget): QueueBudget {
  let taken = 0;
  let waiters: (() => void)[] = [];

  async function waitHere(signal: AbortSignal | undefined): Promise<void> {
    while (taken >= bytesMax && signal?.aborted !== true) {
      await new Promise<void>((resolve) => {
        const wake = () => {
          signal?.removeEventListener("abort", wake);
          resolve();
        };
        waiters.push(wake);
        signal?.addEventListener("abort", wake);
      });
    }
  }

  return {
    hasRoom: (bytes) => taken + bytes <= bytesMax && (parent?.hasRoom(bytes) ?? true),
    take(bytes) {
      taken += bytes;
      parent?.take(bytes);
    },
    release(bytes) {
      taken -= bytes;
      parent?.release(bytes);
      if (taken >= bytesMax || waiters.length === 0) return;
      const woken = waiters;
      waiters = [];
      for (const wake of woken) wake();
    },
    async waitForRoom(signal) {
      await waitHere(signal);
      await parent?.waitForRoom(signal);
    },
  };
}
