import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import type { TrackBatchRequest } from "../../gen/sluice/v1/event_service_pb.ts";
import { TrackBatchResponseSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import type { EventClient } from "../../src/cli/event-client.ts";
import type { OutgoingEvent } from "../../src/cli/outgoing-event.ts";
import { createPeekable } from "../../src/cli/peekable.ts";
import { sendEvents } from "../../src/cli/send-events.ts";
import { storageUnavailable } from "./fake-event-service.ts";

/** What the server does with one stream: takes so many messages of it, and then fails or answers for them. */
interface Stream {
  readonly messageCount: number;
  readonly error?: ConnectError;
}

function toEvent(line: number): OutgoingEvent {
  return { bytes: new Uint8Array(8), file: "f", line, hasOwnId: true };
}

/** Sends so many messages of one event each through these streams, and through as many as it takes after them. */
async function send(messageCount: number, streams: readonly Stream[]) {
  const left = [...streams];
  const stop = new AbortController().signal;
  const cuts: number[] = [];
  const deadlines: unknown[] = [];
  let answeredCount = 0;
  const trackBatch: EventClient["trackBatch"] = async (messages, options) => {
    deadlines.push(new Headers(options?.headers).get("connect-timeout-ms"));
    const stream = left.shift() ?? { messageCount: Number.POSITIVE_INFINITY };
    let count = 0;
    if (stream.messageCount > 0) {
      for await (const message of messages) {
        count += (message as TrackBatchRequest).$unknown?.length ?? 0;
        if (count >= stream.messageCount) break;
      }
    }
    if ("error" in stream) throw stream.error;
    return create(TrackBatchResponseSchema, { acceptedCount: BigInt(count), nextIndex: BigInt(count) });
  };
  async function* source() {
    for (let line = 1; line <= messageCount; line++) yield [toEvent(line)];
  }
  const end = await sendEvents(createPeekable(source()), {
    client: { trackBatch } as EventClient,
    // Delays before another attempt are over at once; a stream is never idle or overdue.
    clock: { nowMs: () => 0, wait: (_, signal) => (signal === stop ? Promise.resolve() : aborted(signal)) },
    stop,
    random: () => 0.5,
    onSent: () => undefined,
    onStopping: () => undefined,
    onAnswer: ({ acceptedCount }) => {
      answeredCount += Number(acceptedCount);
    },
    onCut: ({ unknownCount }) => cuts.push(unknownCount),
    onThrottled: () => undefined,
  });
  return { ...end, answeredCount, cuts, deadlines };
}

function aborted(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => signal?.addEventListener("abort", () => resolve()));
}

const lost = new ConnectError("Premature close", Code.Unknown);

describe("sendEvents", () => {
  it("counts what was sent over a connection that was lost as unknown, and sends it again", async () => {
    const end = await send(5, [{ messageCount: 3, error: lost }]);

    expect(end).toMatchObject({ error: undefined, answeredCount: 5, cuts: [3] });
    expect(end.unknown).toEqual([]);
  });

  it("counts nothing as unknown that the server says it did not take", async () => {
    const end = await send(5, [{ messageCount: 3, error: storageUnavailable() }]);

    expect(end).toMatchObject({ error: undefined, answeredCount: 5, cuts: [0] });
  });

  it("names what may be stored when it gives up after a proxy's refusal", async () => {
    const end = await send(2, [{ messageCount: 2, error: new ConnectError("HTTP 404", Code.Unimplemented) }]);

    expect(end.error?.code).toBe(Code.Unimplemented);
    expect(end.unknown).toEqual([toEvent(1), toEvent(2)]);
  });

  it("still counts as unknown what a stream before left open, when a later one is refused", async () => {
    const end = await send(3, [
      { messageCount: 3, error: lost },
      { messageCount: 1, error: storageUnavailable() },
    ]);

    expect(end.cuts).toEqual([3, 3]);
    expect(end.answeredCount).toBe(3);
  });

  it("gives a stream more time from attempt to attempt without an answer, and the usual time after one", async () => {
    const slow = { messageCount: 1, error: lost };
    const end = await send(10_001, [slow, slow, slow]);

    expect(end.answeredCount).toBe(10_001);
    expect(end.deadlines).toEqual(["8000", "8000", "16000", "24000", "8000"]);
  });
});
