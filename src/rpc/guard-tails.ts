import { answerBytes } from "../domain/answer-bytes.ts";
import { callEnded } from "../domain/call-end.ts";
import { SluiceError } from "../domain/errors.ts";
import type { Caller } from "../domain/project.ts";
import { isSameList } from "../domain/same-list.ts";
import type { TailBatch } from "../domain/tail-events.ts";
import type { EventHandlers } from "./event-service.ts";
import { createOpenCallLimit } from "./open-call-limit.ts";
import { createTailBudget, type TailBudget } from "./tail-budget.ts";

/**
 * What the answers of one port's tails may take while their callers do not take them: 256 MiB for both ports. One tail
 * has one answer on its way at most, of `callLimits.tailBatchBytes` or a single event; this bounds those of all tails.
 * Beyond it, tails hand out nothing but signs of life, and read nothing, until others have been taken; a port cuts off
 * whoever has taken nothing for 60 to 75 s, and what that held is free then.
 */
const untakenBytesMax = 128 << 20;

/** How long a tail that waits for room is silent: it may have been so for as long as a tail waits for events. */
const roomWaitMs = 2000;

/**
 * The same handlers for a port that has so many tails at most; another one fails with OVERLOADED. A tail is counted, and
 * goes on, until its caller's signal is aborted, which transports have to do at the end of each: also when nobody asks
 * for its next answer because the caller does not take the last one. That counts as untaken until the next is asked for.
 */
export function guardTails(handlers: EventHandlers, tailsMax: number, bytesMax = untakenBytesMax): EventHandlers {
  const openTails = createOpenCallLimit(tailsMax);
  const budget = createTailBudget(bytesMax);
  return {
    ...handlers,
    async *tailEvents(caller, request) {
      if (!openTails.enter(caller.signal)) {
        throw new SluiceError("OVERLOADED", `there are ${tailsMax} tails on this port already`);
      }
      yield* guardTail(caller, handlers.tailEvents(caller, request), budget);
    },
  };
}

async function* guardTail(
  caller: Caller,
  tail: AsyncGenerator<TailBatch>,
  budget: TailBudget,
): AsyncGenerator<TailBatch> {
  const { signal } = caller;
  let rejectNext: ((error: SluiceError) => void) | undefined;
  let reached: TailBatch["reached"] | undefined;
  let untaken = 0;

  function end(): void {
    rejectNext?.(callEnded(signal));
    free();
    tail.return(undefined).catch(() => {});
  }

  function free(): void {
    budget.release(untaken);
    untaken = 0;
  }

  /** Not by racing promises: what is raced against the end would be kept until then. */
  function next(): Promise<IteratorResult<TailBatch>> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(callEnded(signal));
      rejectNext = reject;
      tail.next().then(resolve, reject);
    });
  }

  /** Takes room for an answer, with a sign of life after every wait for it. */
  async function* takeRoom(bytes: number): AsyncGenerator<TailBatch> {
    const { environments } = caller;
    let isTaken = budget.tryTake(bytes);
    if (isTaken) untaken = bytes;
    while (!isTaken) {
      isTaken = await budget.takeInTurn(bytes, signal, roomWaitMs);
      if (isTaken) untaken = bytes;
      if (signal.aborted) throw callEnded(signal);
      // The tail looked at its key before.
      caller.recheckKey();
      if (bytes > 0 && !isSameList(caller.environments, environments)) throw keyHasChanged();
      if (reached !== undefined) yield { events: [], reached };
    }
  }

  signal.addEventListener("abort", end);
  try {
    for (;;) {
      // A batch is memory as well, wherever it waits.
      if (reached !== undefined) yield* takeRoom(0);
      const { done, value } = await next();
      if (done === true) return;
      if (value.events.length > 0) yield* takeRoom(bytesOf(value));
      reached = value.reached;
      yield value;
      free();
    }
  } finally {
    signal.removeEventListener("abort", end);
    end();
  }
}

/** What a batch takes: its events, and their encoding. */
function bytesOf({ events }: TailBatch): number {
  return 2 * events.reduce((sum, event) => sum + answerBytes(event), 0);
}

/** Its batch is what the key could read before; whoever goes on from the last answer loses nothing. */
function keyHasChanged(): SluiceError {
  return new SluiceError("OVERLOADED", "the key's environments have changed while an answer waited for others");
}
