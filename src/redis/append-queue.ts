import type { Entrance } from "../domain/entrance.ts";
import { SluiceError } from "../domain/errors.ts";
import type { AppendOptions, AppendSequence, EventToAppend } from "../domain/ports.ts";
import type { Project } from "../domain/project.ts";
import type { ChunkEvent } from "./append-events.ts";
import { type ChunkPlaces, wholePlace } from "./chunk-places.ts";
import type { ChunkSender } from "./chunk-sender.ts";
import type { QueueBudget } from "./queue-budget.ts";
import type { Reachability } from "./reachability.ts";
import { outcomeUnknown, storageUnavailable, toWriteError } from "./storage-error.ts";
import type { Part, QueueAnswer } from "./submission.ts";
import { Submission } from "./submission.ts";
import { type ChunkLimits, createSubmissionQueue } from "./submission-queue.ts";

/**
 * Group commit for one project: what concurrent calls submit is appended together, in the order of submission. A full
 * chunk is sent at once, up to a few at a time; a smaller one only when no other is with Redis, so that the calls that
 * come meanwhile share the next. Redis then runs one script and one fsync for many calls.
 */
export interface AppendQueue {
  /** One outcome for each event, in order, once all have theirs. Never rejects. */
  submit(
    project: Project,
    entrance: Entrance,
    events: readonly EventToAppend[],
    options: AppendOptions,
  ): Promise<QueueAnswer>;
  /** What is with Redis is OUTCOME_UNKNOWN at once; what waits, and all that comes, fails with SHUTTING_DOWN. */
  giveUp(): void;
}

export interface AppendQueueOptions {
  readonly sender: ChunkSender;
  /** Shared with the queues of other projects. */
  readonly places: ChunkPlaces;
  readonly budget: QueueBudget;
  readonly reachability: Reachability;
  readonly limits: AppendQueueLimits;
}

export interface AppendQueueLimits extends ChunkLimits {
  /** Chunks of one project that are with Redis at a time. */
  readonly chunksInFlight: number;
  /** How long submissions wait for Redis to come back before they fail with STORAGE_UNAVAILABLE. */
  readonly outageWaitMs: number;
}

/** A queue for a project; it holds no timer while nothing waits for Redis to come back. */
export function createAppendQueue({ sender, places, budget, reachability, limits }: AppendQueueOptions): AppendQueue {
  const queue = createSubmissionQueue(limits);
  const release = (event: EventToAppend) => budget.release(sizeOf(event));
  // With rate limits a sequence has one chunk with Redis at a time: the next would overtake what this one is denied.
  const busySequences = new Set<AppendSequence>();
  const chunksInFlight = new Set<readonly Part[]>();
  const givenUp = new AbortController();
  let isFlushScheduled = false;
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
    if (mayAppend()) places.ask(appendNext);
    else if (!reachability.isReachable() && !queue.isEmpty()) waitOutOutage();
  }

  /** Says what it took of a place. */
  function appendNext(): number {
    const parts = mayAppend() ? queue.takeChunk(busySequences) : [];
    const [first] = parts;
    if (first === undefined) return 0;
    const taken = placeOf(parts, limits);
    let isFreed = false;
    const free = () => {
      if (!isFreed) places.free(taken);
      isFreed = true;
    };
    void append(first.submission.project, parts, free).finally(() => {
      free();
      flush();
    });
    flush();
    return taken;
  }

  function mayAppend(): boolean {
    if (!reachability.isReachable() || queue.isEmpty() || sender.isInDoubt()) return false;
    const inFlight = sender.inFlight();
    return inFlight === 0 || (inFlight < limits.chunksInFlight && queue.hasFullChunk());
  }

  /** `free` is called early when the fate of the chunk is in doubt: a Redis that is silent must not keep others waiting. */
  async function append(project: Project, parts: readonly Part[], free: () => void): Promise<void> {
    const isLimited = project.settings.rateLimits.length > 0;
    if (isLimited) for (const { submission } of parts) busySequences.add(submission.sequence);
    const isAtomic = parts.some(({ submission }) => submission.isAtomic);
    chunksInFlight.add(parts);
    let watching: AbortController | undefined;
    const watch = () => {
      free();
      watching = new AbortController();
      return AbortSignal.any([givenUp.signal, watchCallers(parts, watching.signal)]);
    };
    try {
      const chunk = { project, events: parts.flatMap(toChunkEvents), isAtomic };
      const reply = await sender.send(chunk, watch);
      let next = 0;
      for (const part of parts) {
        part.submission.settle(part, reply, next);
        next += part.end - part.start;
      }
    } catch (thrown) {
      const error = thrown instanceof SluiceError ? thrown : toWriteError(thrown);
      for (const { submission, start, end } of parts) submission.fail(start, end, error);
    } finally {
      watching?.abort();
      chunksInFlight.delete(parts);
      if (isLimited) for (const { submission } of parts) busySequences.delete(submission.sequence);
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

  function enter(isTaken: boolean, size: number, { project, entrance, events, options }: Given): Promise<QueueAnswer> {
    if (!isTaken) return failed(events, refused(options.isHeldBack));
    if (givenUp.signal.aborted) {
      budget.release(size);
      return failed(events, shuttingDown());
    }
    const submission = new Submission(project, entrance, events, release, options);
    queue.push(submission);
    scheduleFlush();
    return submission.answer;
  }

  reachability.subscribe((isReachable) => {
    if (isReachable) {
      isOutageLong = false;
      clearTimeout(outageTimer);
      outageTimer = undefined;
    }
    flush();
  });

  return {
    submit(project, entrance, events, options) {
      if (events.length === 0) return Promise.resolve({ outcomes: [], quotas: [] });
      const size = events.reduce((sum, event) => sum + sizeOf(event), 0);
      const given = { project, entrance, events, options };
      return options.isHeldBack
        ? budget.takeInTurn(size, options.signal).then((isTaken) => enter(isTaken, size, given))
        : enter(budget.tryTake(size), size, given);
    },
    giveUp() {
      givenUp.abort();
      for (const { submission, start, end } of [...chunksInFlight].flat())
        submission.fail(start, end, outcomeUnknown());
      queue.failAll(shuttingDown());
    },
  };
}

/** What is submitted. */
interface Given {
  readonly project: Project;
  readonly entrance: Entrance;
  readonly events: readonly EventToAppend[];
  readonly options: AppendOptions;
}

/**
 * While the fate of a chunk is in doubt, a caller that goes is told that it is unknown. The signal is aborted when all have
 * gone. It watches until `ended` is.
 */
function watchCallers(parts: readonly Part[], ended: AbortSignal): AbortSignal {
  const all = new AbortController();
  let left = parts.length;
  for (const { submission, start, end } of parts) {
    const leave = () => {
      submission.fail(start, end, outcomeUnknown(submission.signal?.reason));
      if (--left === 0) all.abort();
    };
    if (submission.signal?.aborted) leave();
    else submission.signal?.addEventListener("abort", leave, { once: true, signal: ended });
  }
  return all.signal;
}

function toChunkEvents({ submission, start, end }: Part): ChunkEvent[] {
  const { entrance } = submission;
  return submission.events.slice(start, end).map((event) => ({ event, entrance }));
}

/** What a chunk takes of a place: by events or by bytes, whichever it has more of. */
function placeOf(parts: readonly Part[], { chunkEvents, chunkBytes }: ChunkLimits): number {
  let count = 0;
  let bytes = 0;
  for (const { submission, start, end } of parts) {
    count += end - start;
    for (let i = start; i < end; i++) bytes += submission.events[i]?.bytes.length ?? 0;
  }
  return Math.ceil(wholePlace * Math.max(count / chunkEvents, bytes / chunkBytes));
}

/** What an event costs in memory while it waits: its bytes, and the objects around it. */
function sizeOf(event: EventToAppend): number {
  return event.bytes.length + 200;
}

function failed(events: readonly EventToAppend[], error: SluiceError): Promise<QueueAnswer> {
  return Promise.resolve({ outcomes: events.map(() => ({ kind: "failed", error })), quotas: [] });
}

function shuttingDown(): SluiceError {
  return new SluiceError("SHUTTING_DOWN", "the server is shutting down");
}

/** Only a caller that has gone stops waiting for room. */
function refused(isHeldBack = false): SluiceError {
  return isHeldBack
    ? new SluiceError("CALL_ENDED", "the caller cancelled, or its deadline passed")
    : new SluiceError("OVERLOADED", "too much is waiting to be stored");
}
