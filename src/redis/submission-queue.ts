import { SluiceError } from "../domain/errors.ts";
import type { AppendSequence, EventToAppend } from "../domain/ports.ts";
import { storageUnavailable } from "./storage-error.ts";
import type { Part, Submission } from "./submission.ts";

/** What fits into one chunk. */
export interface ChunkLimits {
  /** Events that one script call appends at most; bounds how long it holds Redis. */
  readonly chunkEvents: number;
  /** Bytes of events, and of what their terms count for, that one script call appends at most; one event may exceed it. */
  readonly chunkBytes: number;
}

/** Submissions that wait for a chunk, first come first served. */
export interface SubmissionQueue {
  isEmpty(): boolean;
  /** Whether enough waits to fill a chunk. */
  hasFullChunk(): boolean;
  push(submission: Submission): void;
  /**
   * Takes what goes into the next chunk. Settles what need not be stored any more, and passes over what belongs to one of
   * the busy sequences; so it may be empty.
   */
  takeChunk(busy: ReadonlySet<AppendSequence>): Part[];
  /** Fails all that waits. */
  failAll(error: SluiceError): void;
}

export function createSubmissionQueue({ chunkEvents, chunkBytes }: ChunkLimits): SubmissionQueue {
  let waiting: Submission[] = [];
  let eventCount = 0;
  let costSum = 0;

  function leave(events: readonly EventToAppend[]): void {
    eventCount -= events.length;
    costSum -= costOfAll(events);
  }

  /** Of the events that are in no chunk yet. */
  function failRest(submission: Submission, error: SluiceError): void {
    const { events, next } = submission;
    leave(events.slice(next));
    submission.next = events.length;
    submission.fail(next, events.length, error);
  }

  function settleIfUnwanted(submission: Submission): void {
    if (submission.signal?.aborted) {
      failRest(submission, new SluiceError("CALL_ENDED", "the caller cancelled, or its deadline passed"));
    }
    const { failure, throttledMs } = submission.sequence;
    // Whatever became of what failed, these were not stored.
    if (failure !== undefined) {
      failRest(submission, failure.reason === "OUTCOME_UNKNOWN" ? storageUnavailable(failure) : failure);
    } else if (throttledMs !== undefined) {
      const { events, next } = submission;
      leave(events.slice(next));
      submission.next = events.length;
      submission.throttle(next, events.length, throttledMs);
    }
  }

  /** As many of a submission's events as fit into a chunk that holds some already; of an atomic one, all. */
  function takePart(submission: Submission, count: number, cost: number): { part: Part; cost: number } {
    const start = submission.next;
    let sum = cost;
    const room = submission.isAtomic ? submission.events.length : chunkEvents - count;
    for (const event of submission.events.slice(start, start + room)) {
      const isFull = submission.next - start + count > 0 && sum + costOf(event) > chunkBytes;
      if (isFull && !submission.isAtomic) break;
      sum += costOf(event);
      submission.next++;
    }
    const end = submission.next;
    leave(submission.events.slice(start, end));
    return { part: { submission, start, end }, cost: sum };
  }

  return {
    isEmpty: () => waiting.length === 0,
    hasFullChunk: () => eventCount >= chunkEvents || costSum >= chunkBytes,
    push(submission) {
      waiting.push(submission);
      eventCount += submission.events.length;
      costSum += costOfAll(submission.events);
    },
    takeChunk(busy) {
      const parts: Part[] = [];
      const passedOver: Submission[] = [];
      let count = 0;
      let cost = 0;
      let taken = 0;
      for (const submission of waiting) {
        if (count >= chunkEvents || (submission.isAtomic && count > 0)) break;
        taken++;
        settleIfUnwanted(submission);
        if (submission.next === submission.events.length) continue;
        if (busy.has(submission.sequence)) {
          passedOver.push(submission);
          continue;
        }
        const next = takePart(submission, count, cost);
        const { start, end } = next.part;
        if (end > start) parts.push(next.part);
        count += end - start;
        cost = next.cost;
        if (end < submission.events.length) taken--;
        if (end < submission.events.length || submission.isAtomic) break;
      }
      waiting = [...passedOver, ...waiting.slice(taken)];
      return parts;
    },
    failAll(error) {
      const failing = waiting;
      waiting = [];
      for (const submission of failing) failRest(submission, error);
    },
  };
}

/** What an event takes of a chunk's bytes: a term costs Redis as much as so many more of them. */
function costOf({ bytes, termCount = 2 }: EventToAppend): number {
  return bytes.length + termBytes * termCount;
}

const termBytes = 250;

function costOfAll(events: readonly EventToAppend[]): number {
  return events.reduce((sum, event) => sum + costOf(event), 0);
}
