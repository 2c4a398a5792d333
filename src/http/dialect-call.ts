import type { Grant } from "../domain/access.ts";
import { SluiceError } from "../domain/errors.ts";

/** A request while it is served. */
export interface DialectCall {
  /** Aborted when its time is up. Not when its sender is gone: who sends an event and hangs up wants it stored. */
  readonly signal: AbortSignal;
  /** Rejects when the call is given up. */
  readonly givenUp: Promise<never>;
  /** Whether all of the request is here: from then on, it is we who take the time. */
  isRead: boolean;
  /** Set once it has shown a key that opens a project. */
  grant?: Grant;
  remainingMs(): number;
  /** Gives it up. */
  abort(reason: SluiceError): void;
  end(): void;
}

/** For storage to say what became of events, when time is up: it is told so, and then knows. */
const graceMs = 3000;

/** A request has so long to come, and to be served. */
export function startCall(requestMs: number): DialectCall {
  const startMs = performance.now();
  const aborter = new AbortController();
  const { promise: givenUp, reject } = Promise.withResolvers<never>();
  let timer = setTimeout(() => {
    if (!call.isRead) {
      call.abort(new SluiceError("STREAM_IDLE", `no request within ${requestMs / 1000} s`));
      return;
    }
    const text = "the request took too long; what it holds may be stored, and an Idempotency-Key makes a retry safe";
    const late = new SluiceError("DEADLINE_EXCEEDED", text);
    aborter.abort(late);
    timer = setTimeout(() => reject(late), graceMs);
  }, requestMs);

  const call: DialectCall = {
    signal: aborter.signal,
    givenUp,
    isRead: false,
    remainingMs: () => Math.max(0, startMs + requestMs - performance.now()),
    abort(reason) {
      reject(reason);
      aborter.abort(reason);
    },
    end: () => clearTimeout(timer),
  };
  return call;
}
