import { setImmediate } from "node:timers/promises";
import type { HandlerContext } from "@connectrpc/connect";
import { SluiceError } from "../domain/errors.ts";
import { toEndError } from "./connect-refusal.ts";

/** A call's signal for its handler. When its deadline has passed, the reason is our own. */
export function endSignal({ signal }: Pick<HandlerContext, "signal">): AbortSignal {
  const aborter = new AbortController();
  const end = () => {
    const error = toEndError(signal.reason);
    aborter.abort(error.reason === "DEADLINE_EXCEEDED" ? error : signal.reason);
  };
  if (signal.aborted) end();
  else signal.addEventListener("abort", end, { once: true });
  return aborter.signal;
}

/**
 * What a handler gives, or the deadline's error at the deadline: storage may be silent for longer. A handler that ends
 * because of the deadline, and has more to say of it, has a moment to do so.
 */
export async function raceDeadline<T>(signal: AbortSignal, result: Promise<T>): Promise<T> {
  const { promise: expired, reject } = Promise.withResolvers<never>();
  const expire = async () => {
    if (!(signal.reason instanceof SluiceError)) return;
    await setImmediate();
    reject(signal.reason);
  };
  if (signal.aborted) void expire();
  else signal.addEventListener("abort", expire, { once: true });
  try {
    return await Promise.race([result, expired]);
  } finally {
    signal.removeEventListener("abort", expire);
    // The loser of the race has nobody to tell.
    expired.catch(() => {});
    result.catch(() => {});
  }
}
