import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import type { TrackBatchResponse } from "../../gen/sluice/v1/event_service_pb.ts";
import { Outcome } from "../../gen/sluice/v1/event_service_pb.ts";
import { isRefusal, isRetryable, isUnreachable, retryDelayMs } from "./call-error.ts";
import type { OutgoingEvent } from "./outgoing-event.ts";
import type { Peekable } from "./peekable.ts";
import type { SendStreamDeps, StreamEnd } from "./send-stream.ts";
import { sendStream } from "./send-stream.ts";
import { untilStopped } from "./until-stopped.ts";

/** How the sending of all events ended. */
export interface SendEnd {
  /** Why not all were sent; undefined at the end of the source, and when the user stopped. */
  readonly error: ConnectError | undefined;
  /** Events that were sent and have no answer: they may be stored. Empty unless there is an error or a stop. */
  readonly unknown: readonly OutgoingEvent[];
  /** Whether any stream came to the server at all. */
  readonly wasConnected: boolean;
}

export interface SendEventsDeps extends SendStreamDeps {
  random(): number;
  /** The events below the answer's `nextIndex` have their outcome; `sent` are those of its stream. */
  onAnswer(answer: TrackBatchResponse, sent: readonly OutgoingEvent[]): void;
  /** A stream was cut, and will be resumed; so many events will be sent again that may be stored already. */
  onCut(cut: { error: ConnectError; delayMs: number; unknownCount: number }): void;
  /** A rate limit ended a stream; it goes on when there are tokens. */
  onThrottled(throttle: { delayMs: number }): void;
}

/** How often in a row a stream may be cut before any of its events has an answer. */
const attemptsMax = 10;

/**
 * Sends a source of events through as many TrackBatch streams as it takes. A cut stream is resumed behind the last
 * event with an answer, with the same ids. Rejects only when the source fails; events that were sent have their answer
 * by then.
 */
export async function sendEvents(source: Peekable<OutgoingEvent[]>, deps: SendEventsDeps): Promise<SendEnd> {
  let backlog: readonly OutgoingEvent[] = [];
  let unknownCount = 0;
  let attempts = 0;
  let wasConnected = false;

  while (!deps.stop.aborted) {
    if (backlog.length === 0 && (await untilStopped(source.peek(), deps.stop)) === undefined) break;
    const end = await sendStream(backlog, source, deps, Math.max(1, attempts));
    const answeredCount = countAnswered(end);
    if (end.answer !== undefined) deps.onAnswer(end.answer, end.sent);
    // A stream that is cut early has not got to send all that the one before left unanswered.
    backlog = [...end.sent, ...backlog.slice(end.sent.length)].slice(answeredCount);
    unknownCount = Math.max(unknownCount - answeredCount, countUnknown(end));
    if (end.error === undefined && answeredCount === end.sent.length) {
      wasConnected = true;
      attempts = 0;
      continue;
    }

    const throttledMs = end.error === undefined ? throttledMsOf(end.answer) : undefined;
    if (throttledMs !== undefined) {
      wasConnected = true;
      attempts = 0;
      if (deps.stop.aborted) break;
      deps.onThrottled({ delayMs: throttledMs });
      await deps.clock.wait(throttledMs, deps.stop);
      continue;
    }

    const error = end.error ?? new ConnectError("the server ended the stream before its last event", Code.Aborted);
    wasConnected ||= !isUnreachable(error);
    attempts = answeredCount > 0 ? 1 : attempts + 1;
    if (deps.stop.aborted) break;
    if (!wasConnected || !isRetryable(error) || attempts > attemptsMax) {
      return { error, unknown: backlog.slice(0, unknownCount), wasConnected };
    }
    const delayMs = retryDelayMs(error, attempts, deps.random);
    deps.onCut({ error, delayMs, unknownCount });
    await deps.clock.wait(delayMs, deps.stop);
  }
  return { error: undefined, unknown: backlog.slice(0, unknownCount), wasConnected };
}

/** How long the first throttled event has to wait; undefined when none was throttled. */
function throttledMsOf(answer: TrackBatchResponse | undefined): number | undefined {
  if (answer === undefined || answer.throttledCount === 0n) return undefined;
  // Rejected events may have left no room for it.
  const delay = answer.failures.find(({ outcome }) => outcome === Outcome.THROTTLED)?.retryDelay;
  return delay === undefined ? 1000 : Math.max(100, durationMs(delay));
}

function countAnswered({ answer, sent }: StreamEnd): number {
  return Math.min(Number(answer?.nextIndex ?? 0), sent.length);
}

/** How many of a stream's events, from the first without an answer on, may have been stored. */
function countUnknown(end: StreamEnd): number {
  const isKnown = end.answer === undefined ? isNotTaken(end.error) : end.answer.unknownCount === 0n;
  return isKnown ? 0 : end.sent.length - countAnswered(end);
}

function isNotTaken(error: ConnectError | undefined): boolean {
  return error !== undefined && (isUnreachable(error) || isRefusal(error));
}
