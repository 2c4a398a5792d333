import { SluiceError } from "../domain/errors.ts";
import type { AppendOptions, AppendSequence, EventToAppend } from "../domain/ports.ts";
import type { Entrance, Project } from "../domain/project.ts";
import type { AppendEvents, ChunkEvent, ChunkOutcome } from "./append-events.ts";
import type { QueueBudget } from "./queue-budget.ts";
import { storageUnavailable, toWriteError } from "./storage-error.ts";

/** What became of an event in the queue; a failed one was not stored unless its error says OUTCOME_UNKNOWN. */
export type QueueOutcome = ChunkOutcome | { readonly kind: "failed"; readonly error: SluiceError };

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
  /** Whether nothing is queued or with Redis. */
  isIdle(): boolean;
}

export interface AppendQueueOptions {
  readonly project: Project;
  readonly appendEvents: AppendEvents;
  readonly budget: QueueBudget;
  readonly isReachable: boolean;
  readonly limits: AppendQueueLimits;
}

export interface AppendQueueLimits {
  /** Events that one script call appends at most; bounds how long it holds Redis. */
  readonly chunkEvents: number;
  /** Bytes of events that one script call appends at most; a single event may exceed it. */
  readonly chunkBytes: number;
  /** Chunks of one project that are with Redis at a time. */
  readonly chunksInFlight: number;
  /** How long submissions wait for Redis to come back before they fail with STORAGE_UNAVAILABLE. */
  readonly outageWaitMs: number;
}

interface Submission {
  readonly entrance: Entrance;
  readonly events: readonly EventToAppend[];
  readonly signal: AbortSignal | undefined;
  readonly sequence: AppendSequence;
  readonly outcomes: QueueOutcome[];
  /** Index of the first event that is in no chunk yet. */
  next: number;
  /** How many events have no outcome yet. */
  openCount: number;
  readonly resolve: (outcomes: QueueOutcome[]) => void;
}

/** Consecutive events of one submission that went into a chunk. */
interface Part {
  readonly submission: Submission;
  readonly start: number;
  readonly end: number;
}

export function createAppendQueue(options: AppendQueueOptions): AppendQueue {
  const { project, appendEvents, budget, limits } = options;
  let queued: Submission[] = [];
  let queuedEvents = 0;
  let queuedBytes = 0;
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
    while (isReachable && queued.length > 0 && mayAppend()) {
      const parts = takeChunk();
      if (parts.length > 0) void append(parts);
    }
    if (!isReachable && queued.length > 0) waitOutOutage();
  }

  function mayAppend(): boolean {
    if (chunksInFlight === 0) return true;
    const isFull = queuedEvents >= limits.chunkEvents || queuedBytes >= limits.chunkBytes;
    return isFull && chunksInFlight < limits.chunksInFlight;
  }

  function takeChunk(): Part[] {
    const parts: Part[] = [];
    let eventCount = 0;
    let bytes = 0;
    let submission = queued[0];
    while (submission !== undefined) {
      if (submission.signal?.aborted) failRest(submission, callEnded());
      if (submission.sequence.failure !== undefined) failRest(submission, notSent(submission.sequence.failure));
      const start = submission.next;
      for (const event of submission.events.slice(start, start + limits.chunkEvents - eventCount)) {
        if (eventCount > 0 && bytes + event.bytes.length > limits.chunkBytes) break;
        eventCount++;
        bytes += event.bytes.length;
        submission.next++;
      }
      if (submission.next > start) parts.push({ submission, start, end: submission.next });
      if (submission.next < submission.events.length) break;
      queued.shift();
      submission = eventCount < limits.chunkEvents ? queued[0] : undefined;
    }
    queuedEvents -= eventCount;
    queuedBytes -= bytes;
    return parts;
  }

  async function append(parts: readonly Part[]): Promise<void> {
    chunksInFlight++;
    try {
      const outcomes = await appendEvents(project, parts.flatMap(toChunkEvents));
      let next = 0;
      for (const part of parts) {
        for (let i = part.start; i < part.end; i++) settle(part.submission, i, outcomes[next++] ?? missing());
      }
    } catch (thrown) {
      const error = toWriteError(thrown);
      for (const { submission, start, end } of parts) {
        submission.sequence.failure ??= error;
        fail(submission, start, end, error);
      }
    } finally {
      chunksInFlight--;
      flush();
    }
  }

  /** A Redis that restarts is back within a second: better to wait than to fail every call meanwhile. */
  function waitOutOutage(): void {
    if (isOutageLong) failQueued();
    else outageTimer ??= setTimeout(endWait, limits.outageWaitMs);
  }

  function endWait(): void {
    outageTimer = undefined;
    isOutageLong = true;
    failQueued();
  }

  function failQueued(): void {
    const failing = queued;
    queued = [];
    for (const submission of failing) {
      failRest(submission, storageUnavailable());
    }
  }

  /** Of the events that are in no chunk yet. */
  function failRest(submission: Submission, error: SluiceError): void {
    const start = submission.next;
    const rest = submission.events.slice(start);
    submission.next += rest.length;
    queuedEvents -= rest.length;
    queuedBytes -= bytesOf(rest);
    fail(submission, start, submission.next, error);
  }

  function fail(submission: Submission, start: number, end: number, error: SluiceError): void {
    for (let i = start; i < end; i++) settle(submission, i, { kind: "failed", error });
  }

  function settle(submission: Submission, index: number, outcome: QueueOutcome): void {
    submission.outcomes[index] = outcome;
    budget.release(sizeOf(submission.events[index]));
    if (--submission.openCount === 0) submission.resolve(submission.outcomes);
  }

  return {
    async submit(entrance, events, { signal, isHeldBack = false, sequence = {} }) {
      if (events.length === 0) return [];
      const size = events.reduce((sum, event) => sum + sizeOf(event), 0);
      const isTaken = isHeldBack ? await budget.takeInTurn(size, signal) : budget.tryTake(size);
      if (!isTaken) {
        const error = isHeldBack ? callEnded() : overloaded();
        return events.map(() => ({ kind: "failed", error }));
      }
      return new Promise((resolve) => {
        const openCount = events.length;
        const outcomes: QueueOutcome[] = new Array(openCount);
        queued.push({ entrance, events, signal, sequence, outcomes, next: 0, openCount, resolve });
        queuedEvents += openCount;
        queuedBytes += bytesOf(events);
        scheduleFlush();
      });
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
    isIdle: () => queued.length === 0 && chunksInFlight === 0,
  };
}

function toChunkEvents({ submission, start, end }: Part): ChunkEvent[] {
  const { entrance } = submission;
  return submission.events.slice(start, end).map((event) => ({ event, entrance }));
}

function bytesOf(events: readonly EventToAppend[]): number {
  return events.reduce((sum, event) => sum + event.bytes.length, 0);
}

/** What an event costs in memory while it waits, its bytes and about as much as the objects around it. */
function sizeOf(event: EventToAppend | undefined): number {
  return event === undefined ? 0 : event.bytes.length + 200;
}

function missing(): QueueOutcome {
  return { kind: "failed", error: new SluiceError("INTERNAL", "the append script skipped an event") };
}

/** Of events behind one that failed: whatever became of that one, these were not stored. */
function notSent(failure: SluiceError): SluiceError {
  return failure.reason === "OUTCOME_UNKNOWN" ? storageUnavailable(failure) : failure;
}

function callEnded(): SluiceError {
  return new SluiceError("CALL_ENDED", "the caller cancelled, or its deadline passed");
}

function overloaded(): SluiceError {
  return new SluiceError("OVERLOADED", "too much is waiting to be stored");
}
