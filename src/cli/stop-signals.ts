import type { CliClock } from "./clock.ts";

/** Where signals come from: `process`. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: () => void): unknown;
  off(signal: NodeJS.Signals, listener: () => void): unknown;
}

export interface StopListeners {
  /** The user, or whoever runs the process, wants it to stop. Called once. */
  stop(): void;
  /** And now wants it to stop at once. */
  kill(): void;
}

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

// Under npm one Ctrl-C arrives twice, within milliseconds.
const echoMs = 1000;

/** Listens for the signals that stop a process, until the returned function is called. */
export function listenForStop(
  source: SignalSource,
  clock: Pick<CliClock, "nowMs">,
  { stop, kill }: StopListeners,
): () => void {
  let stoppedAtMs: number | undefined;
  const onSignal = () => {
    if (stoppedAtMs === undefined) {
      stoppedAtMs = clock.nowMs();
      stop();
    } else if (clock.nowMs() - stoppedAtMs >= echoMs) kill();
  };
  for (const signal of signals) source.on(signal, onSignal);
  return () => {
    for (const signal of signals) source.off(signal, onSignal);
  };
}
