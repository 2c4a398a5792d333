import { SluiceError } from "../domain/errors.ts";
import type { AppendOptions, EventToAppend } from "../domain/ports.ts";
import type { Entrance, Project } from "../domain/project.ts";
import type { AppendEvents, ChunkEvent } from "./append-events.ts";
import type { QueueBudget } from "./queue-budget.ts";
import { storageUnavailable, toWriteError } from "./storage-error.ts";
import { createSubmission, type Part, type QueueOutcome } from "./submission.ts";
import { type ChunkLimits, createSubmissionQueue } from "./submission-queue.ts";

/**
 * Group commit for one project: what concurrent calls submit is appended together, in the order of submission. A full
 * chunk is sent at once, up to a few at a time; a smaller one only when no other is with Redis, so that the calls that
 * come meanwhile share the next. Redis then runs one script and one fsync for many calls.
 */
export interface AppendQueue {
  /** One outcome for each event, in order, once all have theirs. Never rejects. */
  submit(entrance: Entrance, events: readonly EventToAppend[], options: AppendOptions): Promise<QueueOutcome[]>;
  /** Tells the queue whether Redis can be reached; while it cannot, submissions wait for a while. */
  setReachable(isReachable: boolean): void;
}

export interface AppendQueueOptions {
  readonly project: Project;
  readonly appendEvents: AppendEvents;
  readonly budget: QueueBudget;
  readonly isReachable: boolean;
  readonly limits: AppendQueueLimits;
}

export interface AppendQueueLimits extends ChunkLimits {
  /** Chunks of one project that are with Redis at a time. */
  readonly chunksInFlight: number;
  /** How long submissions wait for Redis to come back before they fail with STORAGE_UNAVAILABLE. */
  readonly outageWaitMs: number;
}

/** A queue for the project; it holds no timer while nothing waits for Redis to come back. */
export function createAppendQueue(options: AppendQueueOptions): AppendQueue {
  const { project, appendEvents, budget, limits } = options;
  const queue = createSubmissionQueue(limits);
  const release = (event: EventToAppend) => budget.release(sizeOf(event));
  let chunksInFlight = 0;
  let isFlushScheduled = false;
  let isReachable = options.isReachable;
  let isOutageLong = false;
  let outageTimer: NodeJS.Timeout | undefined;

  /** Later in this pass of the event loop, so that all calls that arrived together go into one chunk. */
  function scheduleFlush(): void {
    if (isFlushScheduled) return;
    isFlushScheduled = true;
    setImmediate(() => {
      isFlushScheduled = false;
      flush();
    });
  }

  function flush(): void {
    while (isReachable && !queue.isEmpty() && mayAppend()) {
      const parts = queue.takeChunk();
      if (parts.length > 0) void append(parts);
    }
    if (!isReachable && !queue.isEmpty()) waitOutOutage();
  }

  function mayAppend(): boolean {
    return chunksInFlight === 0 || (chunksInFlight < limits.chunksInFlight && queue.hasFullChunk());
  }

  async function append(parts: readonly Part[]): Promise<void> {
    chunksInFlight++;
    try {
      const outcomes = await appendEvents(project, parts.flatMap(toChunkEvents));
      let next = 0;
      for (const { submission, start, end } of parts) {
        for (let i = start; i < end; i++) submission.settle(i, outcomes[next++] ?? missing());
      }
    } catch (thrown) {
      const error = toWriteError(thrown);
      for (const { submission, start, end } of parts) submission.fail(start, end, error);
    } finally {
      chunksInFlight--;
      flush();
    }
  }

  /** A Redis that restarts is back within a second: better to wait than to fail every call meanwhile. */
  function waitOutOutage(): void {
    if (isOutageLong) queue.failAll(storageUnavailable());
    else outageTimer ??= setTimeout(endWait, limits.outageWaitMs);
  }

  function endWait(): void {
    outageTimer = undefined;
    isOutageLong = true;
    queue.failAll(storageUnavailable());
  }

  return {
    async submit(entrance, events, options) {
      if (events.length === 0) return [];
      const size = events.reduce((sum, event) => sum + sizeOf(event), 0);
      const { isHeldBack = false, signal } = options;
      const isTaken = isHeldBack ? await budget.takeInTurn(size, signal) : budget.tryTake(size);
      if (!isTaken) return events.map(() => ({ kind: "failed", error: refused(isHeldBack) }));
      const submission = createSubmission(entrance, events, options, release);
      queue.push(submission);
      scheduleFlush();
      return submission.outcomes;
    },
    setReachable(reachable) {
      isReachable = reachable;
      if (reachable) {
        isOutageLong = false;
        clearTimeout(outageTimer);
        outageTimer = undefined;
      }
      flush();
    },
  };
}

function toChunkEvents({ submission, start, end }: Part): ChunkEvent[] {
  const { entrance } = submission;
  return submission.events.slice(start, end).map((event) => ({ event, entrance }));
}

/** What an event costs in memory while it waits: its bytes, and the objects around it. */
function sizeOf(event: EventToAppend): number {
  return event.bytes.length + 200;
}

function missing(): QueueOutcome {
  return { kind: "failed", error: new SluiceError("INTERNAL", "the append script skipped an event") };
}

/** Only a caller that has gone stops waiting for room. */
function refused(isHeldBack: boolean): SluiceError {
  return isHeldBack
    ? new SluiceError("CALL_ENDED", "the caller cancelled, or its deadline passed")
    : new SluiceError("OVERLOADED", "too much is waiting to be stored");
}
