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
  /** What SIGHUP is for instead of stopping, where that is something. */
  readonly reload?: (() => void) | undefined;
}

const signals = ["SIGINT", "SIGTERM"] as const;

// Under npm one Ctrl-C arrives twice, within milliseconds.
const echoMs = 1000;

/** Listens for the signals that stop a process, until the returned function is called. */
export function listenForStop(
  source: SignalSource,
  clock: Pick<CliClock, "nowMs">,
  { stop, kill, reload }: StopListeners,
): () => void {
  let stoppedAtMs: number | undefined;
  const onSignal = () => {
    if (stoppedAtMs === undefined) {
      stoppedAtMs = clock.nowMs();
      stop();
    } else if (clock.nowMs() - stoppedAtMs >= echoMs) kill();
  };
  const onHangUp = reload ?? onSignal;
  for (const signal of signals) source.on(signal, onSignal);
  source.on("SIGHUP", onHangUp);
  return () => {
    for (const signal of signals) source.off(signal, onSignal);
    source.off("SIGHUP", onHangUp);
  };
}
