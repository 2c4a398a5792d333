import { SluiceError } from "./errors.ts";

/** The error that a call ends with when its caller is gone: a transport that knows more says so with the signal. */
export function callEnded({ reason }: AbortSignal): SluiceError {
  if (reason instanceof SluiceError) return reason;
  return new SluiceError("CALL_ENDED", "the caller cancelled, or its deadline passed");
}

/** When a call has to end though it has more to do: as its caller is gone, or the server is shutting down. */
export interface CallEnd {
  /** Aborted with the first of them, as a SluiceError. */
  readonly signal: AbortSignal;
  /** Stops looking, once the call is over: the server's signal outlives it. */
  release(): void;
}

export function watchCallEnd(caller: AbortSignal, shutdown: AbortSignal): CallEnd {
  const end = new AbortController();
  const endCall = () => end.abort(callEnded(caller));
  const shutDown = () => end.abort(new SluiceError("SHUTTING_DOWN", "the server is shutting down"));
  caller.addEventListener("abort", endCall);
  shutdown.addEventListener("abort", shutDown);
  if (caller.aborted) endCall();
  if (shutdown.aborted) shutDown();
  return {
    signal: end.signal,
    release() {
      caller.removeEventListener("abort", endCall);
      shutdown.removeEventListener("abort", shutDown);
    },
  };
}
