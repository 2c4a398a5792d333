import { SluiceError } from "../domain/errors.ts";
import type { EventToAppend } from "../domain/ports.ts";
import { storageUnavailable } from "./storage-error.ts";
import type { Part, Submission } from "./submission.ts";

/** What fits into one chunk. */
export interface ChunkLimits {
  /** Events that one script call appends at most; bounds how long it holds Redis. */
  readonly chunkEvents: number;
  /** Bytes of events that one script call appends at most; a single event may exceed it. */
  readonly chunkBytes: number;
}

/** Submissions that wait for a chunk, first come first served. */
export interface SubmissionQueue {
  isEmpty(): boolean;
  /** Whether enough waits to fill a chunk. */
  hasFullChunk(): boolean;
  push(submission: Submission): void;
  /** Takes what goes into the next chunk. Fails what need not be stored any more; so it may be empty. */
  takeChunk(): Part[];
  /** Fails all that waits. */
  failAll(error: SluiceError): void;
}

export function createSubmissionQueue({ chunkEvents, chunkBytes }: ChunkLimits): SubmissionQueue {
  let waiting: Submission[] = [];
  let eventCount = 0;
  let byteCount = 0;

  function leave(events: readonly EventToAppend[]): void {
    eventCount -= events.length;
    byteCount -= bytesOf(events);
  }

  /** Of the events that are in no chunk yet. */
  function failRest(submission: Submission, error: SluiceError): void {
    const { events, next } = submission;
    leave(events.slice(next));
    submission.next = events.length;
    submission.fail(next, events.length, error);
  }

  function failIfUnwanted(submission: Submission): void {
    if (submission.signal?.aborted) {
      failRest(submission, new SluiceError("CALL_ENDED", "the caller cancelled, or its deadline passed"));
    }
    const { failure } = submission.sequence;
    // Whatever became of what failed, these were not stored.
    if (failure !== undefined) {
      failRest(submission, failure.reason === "OUTCOME_UNKNOWN" ? storageUnavailable(failure) : failure);
    }
  }

  return {
    isEmpty: () => waiting.length === 0,
    hasFullChunk: () => eventCount >= chunkEvents || byteCount >= chunkBytes,
    push(submission) {
      waiting.push(submission);
      eventCount += submission.events.length;
      byteCount += bytesOf(submission.events);
    },
    takeChunk() {
      const parts: Part[] = [];
      let count = 0;
      let bytes = 0;
      for (let submission = waiting[0]; submission !== undefined && count < chunkEvents; submission = waiting[0]) {
        failIfUnwanted(submission);
        const start = submission.next;
        for (const event of submission.events.slice(start, start + chunkEvents - count)) {
          if (count > 0 && bytes + event.bytes.length > chunkBytes) break;
          count++;
          bytes += event.bytes.length;
          submission.next++;
        }
        const end = submission.next;
        if (end > start) parts.push({ submission, start, end });
        leave(submission.events.slice(start, end));
        if (end < submission.events.length) break;
        waiting.shift();
      }
      return parts;
    },
    failAll(error) {
      const failing = waiting;
      waiting = [];
      for (const submission of failing) failRest(submission, error);
    },
  };
}

function bytesOf(events: readonly EventToAppend[]): number {
  return events.reduce((sum, event) => sum + event.bytes.length, 0);
}
