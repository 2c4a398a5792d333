import { callEnded } from "../domain/call-end.ts";
import { SluiceError } from "../domain/errors.ts";
import type { TailBatch } from "../domain/tail-events.ts";
import type { EventHandlers } from "./event-service.ts";
import { createOpenCallLimit } from "./open-call-limit.ts";

/**
 * The same handlers for a port that has so many tails at most; another one fails with OVERLOADED. A tail is counted, and
 * goes on, until its caller's signal is aborted, which transports have to do at the end of each: also when nobody asks
 * for its next answer because the caller does not take the last one.
 */
export function guardTails(handlers: EventHandlers, tailsMax: number): EventHandlers {
  const openTails = createOpenCallLimit(tailsMax);
  return {
    ...handlers,
    async *tailEvents(caller, request) {
      if (!openTails.enter(caller.signal)) {
        throw new SluiceError("OVERLOADED", `there are ${tailsMax} tails on this port already`);
      }
      yield* endWith(caller.signal, handlers.tailEvents(caller, request));
    },
  };
}

/** Not by racing promises: what is raced against the end would be kept until then. */
async function* endWith(signal: AbortSignal, tail: AsyncGenerator<TailBatch>): AsyncGenerator<TailBatch> {
  let rejectNext: ((error: SluiceError) => void) | undefined;

  function end(): void {
    rejectNext?.(callEnded(signal));
    tail.return(undefined).catch(() => {});
  }

  function next(): Promise<IteratorResult<TailBatch>> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(callEnded(signal));
      rejectNext = reject;
      tail.next().then(resolve, reject);
    });
  }

  signal.addEventListener("abort", end);
  try {
    for (let result = await next(); result.done !== true; result = await next()) yield result.value;
  } finally {
    signal.removeEventListener("abort", end);
    end();
  }
}
