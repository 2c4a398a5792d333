import type { ServingStatus } from "./domain/ports.ts";

/** A ServingStatus that is told when to look again. */
export interface Serving extends ServingStatus {
  update(): void;
}

/** Tells its listeners only of changes. `check` says whether the server can do its work now. */
export function createServing(check: () => boolean): Serving {
  const listeners = new Set<(isServing: boolean) => void>();
  let isServing = check();
  return {
    isServing: () => isServing,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    update() {
      const now = check();
      if (now === isServing) return;
      isServing = now;
      for (const listener of listeners) listener(isServing);
    },
  };
}
