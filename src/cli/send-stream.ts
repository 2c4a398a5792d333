import { Code, ConnectError } from "@connectrpc/connect";
import type { TrackBatchRequest, TrackBatchResponse } from "../../gen/sluice/v1/event_service_pb.ts";
import { TrackBatchResponseSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import type { CliClock } from "./clock.ts";
import type { EventClient } from "./event-client.ts";
import type { OutgoingEvent } from "./outgoing-event.ts";
import { toTrackBatchRequest } from "./outgoing-event.ts";
import type { Peekable } from "./peekable.ts";

/** What became of one TrackBatch stream. */
export interface StreamEnd {
  /** What was sent, in the order of the stream's indexes. */
  readonly sent: readonly OutgoingEvent[];
  /** What the server says of it; undefined when its answer was lost. */
  readonly answer: TrackBatchResponse | undefined;
  /** What cut the stream; undefined when the server ended it in good order. */
  readonly error: ConnectError | undefined;
}

export interface SendStreamDeps {
  readonly client: EventClient;
  readonly clock: CliClock;
  /** Ends the stream, so that what was sent gets its answer. */
  readonly stop: AbortSignal;
  /** So many events were taken from the source and sent, for the first time. */
  onSent(eventCount: number): void;
  /** The user stopped it, and the answer of what was sent is waited for. */
  onStopping(): void;
}

/** Bounds of a stream: an event has its answer when its stream ends, and is kept in memory until then. */
const streamEventsMax = 10_000;
const streamBytesMax = 16 << 20;

/** A message is no larger than this when it is sent again. */
const messageEventsMax = 500;

/** How long a stream is held open for input that does not come; what was sent is answered then. */
const inputIdleMs = 1000;

/** How long a stream is sent: so an import has answers all along, and the next stream goes on. */
const sendMs = 4000;

/**
 * The deadline that the server is told. It answers in time for that, also a stream that a rate limit holds back; so this
 * is how long a user who wants to stop waits at the most.
 */
const deadlineMs = 8000;

/** For how long after the deadline the answer is waited for, which says what was stored. */
const answerMs = 1000;

/**
 * Sends one stream: first the backlog, which was sent before without an answer, then from the source, as fast as the
 * server takes it. Never rejects. An event is taken from the source only if it is in what was sent. `patience` multiplies
 * the deadline, for a connection that may be too slow for it.
 */
export async function sendStream(
  backlog: readonly OutgoingEvent[],
  source: Peekable<OutgoingEvent[]>,
  { client, clock, stop, onSent, onStopping }: SendStreamDeps,
  patience = 1,
): Promise<StreamEnd> {
  const sent: OutgoingEvent[] = [];
  const call = new AbortController();
  let isOver = false;
  const { promise: stopped, resolve: stopReading } = Promise.withResolvers<undefined>();
  const onStop = () => {
    stopReading(undefined);
    onStopping();
  };
  stop.addEventListener("abort", onStop);
  const startMs = clock.nowMs();
  const isSendable = () => !isOver && (sent.length === 0 || clock.nowMs() - startMs < sendMs);
  const timeoutMs = deadlineMs * patience;
  void clock.wait(timeoutMs + answerMs, call.signal).then(() => call.abort(overdue(timeoutMs)));

  async function* messages(): AsyncGenerator<TrackBatchRequest> {
    let bytes = 0;
    for (const message of toMessages(backlog)) {
      if (!isSendable()) return;
      bytes += record(message);
      yield toTrackBatchRequest(message);
    }
    while (isSendable() && !stop.aborted) {
      const message = await nextMessage(source, clock, stopped);
      // A stream that was cut meanwhile leaves the message to the next one.
      if (isOver || message === undefined) return;
      const isFull = sent.length + message.length > streamEventsMax || bytes + byteCount(message) > streamBytesMax;
      if (isFull && sent.length > 0) return;
      source.take();
      bytes += record(message);
      onSent(message.length);
      yield toTrackBatchRequest(message);
    }
  }

  function record(message: readonly OutgoingEvent[]): number {
    sent.push(...message);
    return byteCount(message);
  }

  try {
    // Not as Connect's own time-out, which would end the call before the server's answer to its deadline is here.
    const headers = { "connect-timeout-ms": `${timeoutMs}` };
    const answer = await client.trackBatch(messages(), { headers, signal: call.signal });
    return { sent, answer, error: undefined };
  } catch (thrown) {
    const error = ConnectError.from(thrown);
    return { sent, answer: error.findDetails(TrackBatchResponseSchema)[0], error };
  } finally {
    isOver = true;
    stop.removeEventListener("abort", onStop);
    call.abort();
  }
}

function overdue(timeoutMs: number): ConnectError {
  return new ConnectError(`no answer within ${timeoutMs / 1000} s`, Code.DeadlineExceeded);
}

/** The next message; undefined at the end, when none comes for a while, when the user stops, and when the source failed. */
async function nextMessage(
  source: Peekable<OutgoingEvent[]>,
  clock: CliClock,
  stopped: Promise<undefined>,
): Promise<OutgoingEvent[] | undefined> {
  const arrived = new AbortController();
  const idle = clock.wait(inputIdleMs, arrived.signal).then(() => undefined);
  try {
    return await Promise.race([source.peek(), idle, stopped]);
  } catch {
    // Whoever peeks next is told; this stream only ends.
    return undefined;
  } finally {
    arrived.abort();
  }
}

function* toMessages(events: readonly OutgoingEvent[]): Generator<OutgoingEvent[]> {
  for (let i = 0; i < events.length; ) {
    let bytes = 0;
    let end = i;
    while (end < events.length && end - i < messageEventsMax) {
      bytes += events[end]?.bytes.length ?? 0;
      if (bytes > 1 << 20 && end > i) break;
      end++;
    }
    yield events.slice(i, end);
    i = end;
  }
}

function byteCount(message: readonly OutgoingEvent[]): number {
  return message.reduce((sum, { bytes }) => sum + bytes.length, 0);
}
