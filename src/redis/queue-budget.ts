/** Bytes of events that may wait for storage: of one project, and, through its parent, of all. */
export interface QueueBudget {
  /** Takes the bytes if they fit; says whether they did. */
  tryTake(bytes: number): boolean;
  /**
   * Takes the bytes when there is room, in the order of asking; says whether it did, which is not so only when aborted.
   * Those who wait are given three quarters of the budget, so that those who cannot wait find room.
   */
  takeInTurn(bytes: number, signal?: AbortSignal): Promise<boolean>;
  /** Resolves when nobody waits and there is room for those who would, or when aborted. */
  waitForRoom(signal: AbortSignal): Promise<void>;
  /** Takes the bytes whether they fit or not: they are there already. */
  hold(bytes: number): void;
  release(bytes: number): void;
}

interface Waiter {
  readonly bytes: number;
  admit(isAdmitted: boolean): void;
}

export function createQueueBudget(bytesMax: number, parent?: QueueBudget): QueueBudget {
  const waitersBytesMax = bytesMax * 0.75;
  const waiters = new Set<Waiter>();
  let taken = 0;

  // Something larger than the share would never fit; alone it may pass.
  const fitsInTurn = (bytes: number) => taken === 0 || taken + bytes <= waitersBytesMax;

  function admitWaiters(): void {
    for (const waiter of waiters) {
      if (!fitsInTurn(waiter.bytes)) return;
      taken += waiter.bytes;
      waiter.admit(true);
    }
  }

  /** Admitted at once, or in turn. */
  function takeOwn(bytes: number, signal: AbortSignal | undefined): Promise<boolean> {
    if (signal?.aborted) return Promise.resolve(false);
    if (waiters.size === 0 && fitsInTurn(bytes)) {
      taken += bytes;
      return Promise.resolve(true);
    }
    return new Promise((resolve) => {
      const leave = () => waiter.admit(false);
      const waiter: Waiter = {
        bytes,
        admit(isAdmitted) {
          waiters.delete(waiter);
          signal?.removeEventListener("abort", leave);
          resolve(isAdmitted);
          // The one behind may be smaller.
          if (!isAdmitted) admitWaiters();
        },
      };
      waiters.add(waiter);
      signal?.addEventListener("abort", leave);
    });
  }

  function releaseOwn(bytes: number): void {
    taken -= bytes;
    admitWaiters();
  }

  return {
    tryTake(bytes) {
      if (taken + bytes > bytesMax || parent?.tryTake(bytes) === false) return false;
      taken += bytes;
      return true;
    },
    async takeInTurn(bytes, signal) {
      if (!(await takeOwn(bytes, signal))) return false;
      if (parent === undefined || (await parent.takeInTurn(bytes, signal))) return true;
      releaseOwn(bytes);
      return false;
    },
    async waitForRoom(signal) {
      if (await takeOwn(0, signal)) await parent?.waitForRoom(signal);
    },
    hold(bytes) {
      taken += bytes;
      parent?.hold(bytes);
    },
    release(bytes) {
      releaseOwn(bytes);
      parent?.release(bytes);
    },
  };
}
