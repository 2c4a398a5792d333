/** Whether Redis can be reached, for those who wait for it. */
export interface Reachability {
  isReachable(): boolean;
  set(isReachable: boolean): void;
  /** Resolves with true when it can be reached, in the order of asking, or with false when the signal is aborted. */
  whenReachable(signal: AbortSignal): Promise<boolean>;
  /** Calls the listener at each change. */
  subscribe(listener: (isReachable: boolean) => void): void;
}

export function createReachability(initially: boolean): Reachability {
  const waiters = new Set<() => void>();
  const listeners = new Set<(isReachable: boolean) => void>();
  let isReachable = initially;

  return {
    isReachable: () => isReachable,
    set(now) {
      if (now === isReachable) return;
      isReachable = now;
      if (now) for (const admit of waiters) admit();
      for (const listener of listeners) listener(now);
    },
    whenReachable(signal) {
      if (signal.aborted) return Promise.resolve(false);
      if (isReachable) return Promise.resolve(true);
      return new Promise((resolve) => {
        const settle = (found: boolean) => {
          waiters.delete(admit);
          signal.removeEventListener("abort", leave);
          resolve(found);
        };
        const admit = () => settle(true);
        const leave = () => settle(false);
        waiters.add(admit);
        signal.addEventListener("abort", leave);
      });
    },
    subscribe(listener) {
      listeners.add(listener);
    },
  };
}
