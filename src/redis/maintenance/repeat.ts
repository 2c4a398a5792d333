import type { Clock } from "../../domain/ports.ts";

/** Work that is done again and again. */
export interface Repeated {
  /** Begins again at once, or as soon as it is done with what it is at. */
  wake(): void;
  /** Resolves once the step at hand is over. */
  stop(): Promise<void>;
}

export interface RepeatOptions {
  readonly clock: Clock;
  /** How long to wait after the work is done. */
  readonly intervalMs: number;
}

/**
 * Does some work at once, and after each interval. It is to end soon after its signal is aborted, is to catch what is
 * thrown in it, and resolves with whether there is more to do: then it begins again without a wait.
 */
export function repeat(
  work: (signal: AbortSignal) => Promise<boolean>,
  { clock, intervalMs }: RepeatOptions,
): Repeated {
  const stopping = new AbortController();
  let waiting = new AbortController();

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      waiting = new AbortController();
      const isMore = await work(stopping.signal);
      if (!isMore && !stopping.signal.aborted) await clock.wait(intervalMs, waiting.signal);
    }
  }

  const stopped = run();
  return {
    wake: () => waiting.abort(),
    async stop() {
      stopping.abort();
      waiting.abort();
      await stopped;
    },
  };
}
