import type { Logger } from "pino";

/** Tells the operator of TLS handshakes that failed. */
export interface RefusalLog {
  /** Counts one by what it failed with, such as `ERR_SSL_HTTP_REQUEST`. */
  count(code: string): void;
  /** Writes what was counted last. */
  stop(): void;
}

/** A line a second at most, as anyone can fail so; and no timer while nobody does. */
export function createRefusalLog(logger: Logger, everyMs = 1000): RefusalLog {
  const counts = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;

  function write(): void {
    timer = undefined;
    logger.warn({ handshakes: Object.fromEntries(counts) }, "TLS handshakes failed");
    counts.clear();
  }

  return {
    count(code) {
      counts.set(code, (counts.get(code) ?? 0) + 1);
      timer ??= setTimeout(write, everyMs).unref();
    },
    stop() {
      if (timer === undefined) return;
      clearTimeout(timer);
      write();
    },
  };
}
