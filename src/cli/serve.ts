import type { CliClock } from "./clock.ts";
import type { SignalSource } from "./stop-signals.ts";
import { listenForStop } from "./stop-signals.ts";
import type { ServerFacts } from "./welcome.ts";
import { createWelcome } from "./welcome.ts";

/** A server as `serve` sees it. */
export interface ServedServer {
  readonly httpAddress: string;
  readonly grpcAddress: string;
  readonly tls?: ServerFacts["tls"];
  /** Reads anew what can change while it serves. Never throws. */
  reload(): void;
  close(): Promise<void>;
}

/** A server that is configured, and not yet started. */
export interface ServerToStart {
  readonly devKey: ServerFacts["devKey"];
  readonly configPath: ServerFacts["configPath"];
  /** Whether it reads anything that can change while it serves: SIGHUP is then no reason to stop. */
  readonly isReloadable: boolean;
  /** What the operator should be told of the configuration. */
  readonly warnings: readonly string[];
  readonly log: ServeLog;
  /** Resolves when it serves. Rejects when it does not come to that, or the signal is aborted; nothing is left then. */
  start(signal: AbortSignal): Promise<ServedServer>;
}

/** The part of a log that `serve` needs. */
export interface ServeLog {
  warn(message: string): void;
  fatal(fields: { readonly err: unknown }, message: string): void;
}

/** The process that serves. */
export interface ServeProcess extends SignalSource {
  on(event: NodeJS.Signals | "uncaughtException" | "unhandledRejection", listener: (cause: unknown) => void): unknown;
  off(event: NodeJS.Signals | "uncaughtException" | "unhandledRejection", listener: (cause: unknown) => void): unknown;
  /** Ends it at once. */
  exit(code: number): void;
}

export interface ServeDeps {
  readonly process: ServeProcess;
  readonly clock: CliClock;
  print(text: string): void;
}

/** The server closes within 10 s; what takes longer hangs. */
const closeMaxMs = 12_000;

/**
 * Serves until a signal, or a fault that nobody caught. Returns the exit code: 0 after a clean close, else 1. A second
 * signal, a second or more after the first, ends the process at once, with 130. SIGHUP has a server that can reload do so,
 * and stops any other, as its terminal is gone. Rejects when the server does not start.
 */
export async function serve(server: ServerToStart, deps: ServeDeps): Promise<number> {
  const { clock } = deps;
  const { log } = server;
  const stop = new AbortController();
  const stopped = new Promise<void>((resolve) => stop.signal.addEventListener("abort", () => resolve()));
  let exitCode = 0;
  let served: ServedServer | undefined;
  let isReloadDue = false;

  const fail = (cause: unknown) => {
    exitCode = 1;
    log.fatal({ err: cause }, "a fault that nobody caught: stopping");
    stop.abort();
  };
  deps.process.on("uncaughtException", fail);
  deps.process.on("unhandledRejection", fail);
  const stopListening = listenForStop(deps.process, clock, {
    stop: () => stop.abort(),
    kill: () => deps.process.exit(130),
    reload: server.isReloadable ? reload : undefined,
  });

  try {
    for (const warning of server.warnings) log.warn(warning);
    const running = await startUnlessStopped();
    if (running === undefined) return exitCode;
    served = running;
    if (isReloadDue) reload();
    if (!stop.signal.aborted) deps.print(createWelcome({ ...server, ...running }));
    await stopped;
    await close(running);
    return exitCode;
  } finally {
    stopListening();
    deps.process.off("uncaughtException", fail);
    deps.process.off("unhandledRejection", fail);
  }

  function reload(): void {
    // While it starts, it may have read already what has changed since.
    if (served === undefined) isReloadDue = true;
    else served.reload();
  }

  async function startUnlessStopped(): Promise<ServedServer | undefined> {
    try {
      return await server.start(stop.signal);
    } catch (error) {
      // A start that was given up has failed for no other reason worth telling.
      if (stop.signal.aborted) return undefined;
      throw error;
    }
  }

  async function close(running: ServedServer): Promise<void> {
    const isClosed = new AbortController();
    const tooLate = clock.wait(closeMaxMs, isClosed.signal).then(() => {
      if (!isClosed.signal.aborted) throw new Error(`the server did not close within ${closeMaxMs / 1000} s`);
    });
    try {
      await Promise.race([running.close(), tooLate]);
    } catch (error) {
      exitCode = 1;
      log.fatal({ err: error }, "did not stop cleanly");
    } finally {
      isClosed.abort();
    }
  }
}
