import { setTimeout as sleep } from "node:timers/promises";
import type { AppendCall, AppendEvents, Chunk, ChunkReply } from "./append-events.ts";
import { encodeAppendCall } from "./append-events.ts";
import type { Reachability } from "./reachability.ts";
import { createRetryBudget } from "./retry-budget.ts";
import { isFault, isRefusal, outcomeUnknown, storageUnavailable, toWriteError, wasSent } from "./storage-error.ts";

/** Sends the chunks of one project, a few at a time, until it is known what became of each. */
export interface ChunkSender {
  /**
   * Rejects with a SluiceError: OUTCOME_UNKNOWN when nobody wants to know any more, it took too long, there were too many
   * retries, or the script failed half-way; anything else is certain not to have been stored. What `watchCallers` gives,
   * which is asked for once the fate of the chunk is in doubt, is aborted when nobody wants to know any more.
   */
  send(chunk: Chunk, watchCallers: () => AbortSignal): Promise<ChunkReply>;
  /** How many chunks are with Redis. */
  inFlight(): number;
  /** Whether the fate of a chunk is in doubt: what comes after it has to wait, or it could overtake. */
  isInDoubt(): boolean;
}

export interface ChunkSenderOptions {
  readonly appendEvents: AppendEvents;
  readonly reachability: Reachability;
  /** Unique among all senders of the project. */
  readonly sender: string;
  /** How long a chunk may be in doubt. */
  readonly resolveWaitMs: number;
}

/** Between attempts that Redis answers with an error, such as while it loads. */
const pauseMs = 50;

export function createChunkSender({
  appendEvents,
  reachability,
  sender,
  resolveWaitMs,
}: ChunkSenderOptions): ChunkSender {
  const budget = createRetryBudget();
  // A slot is free for the next chunk once this one is settled: Redis refuses what comes too late.
  const freeSlots: number[] = [];
  let slotCount = 0;
  let number = 0;
  let inFlight = 0;
  let inDoubt = 0;
  /** Until every chunk that was sent so far is settled. */
  let allSettled: Promise<unknown> = Promise.resolve();

  /**
   * Sends again what may have been stored, or got no further than a connection that was just lost, until Redis says what
   * became of it. Those sent before it come first: one that Redis refuses for now must not be overtaken.
   */
  async function resolve(
    call: AppendCall,
    cause: unknown,
    unwanted: AbortSignal,
    before: Promise<unknown>,
  ): Promise<ChunkReply> {
    inDoubt++;
    const ended = AbortSignal.any([unwanted, AbortSignal.timeout(resolveWaitMs)]);
    let lastCause = cause;
    let mayBeStored = wasSent(cause);
    try {
      await before;
      while (await reachability.whenReachable(ended)) {
        if (!budget.tryTake()) break;
        try {
          return await appendEvents(call, true);
        } catch (thrown) {
          // A refusal says nothing of the attempts before: they may be on their way still.
          if (isFault(thrown) || (isRefusal(thrown) && !mayBeStored)) throw toWriteError(thrown);
          lastCause = thrown;
          mayBeStored ||= wasSent(thrown);
          if (reachability.isReachable()) await sleep(pauseMs);
        }
      }
    } finally {
      inDoubt--;
    }
    throw mayBeStored ? outcomeUnknown(lastCause) : storageUnavailable(lastCause);
  }

  return {
    async send(chunk, watchCallers) {
      const slot = freeSlots.pop() ?? slotCount++;
      const call = encodeAppendCall(chunk, { sender, slot, number: ++number });
      const before = allSettled;
      const { promise: settled, resolve: settle } = Promise.withResolvers<void>();
      allSettled = before.then(() => settled);
      inFlight++;
      try {
        const reply = await appendEvents(call, false).catch((thrown) => {
          if (isFault(thrown) || isRefusal(thrown)) throw toWriteError(thrown);
          return resolve(call, thrown, watchCallers(), before);
        });
        budget.earn();
        return reply;
      } finally {
        inFlight--;
        freeSlots.push(slot);
        settle();
      }
    },
    inFlight: () => inFlight,
    isInDoubt: () => inDoubt > 0,
  };
}
