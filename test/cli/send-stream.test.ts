import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import type { TrackBatchRequest, TrackBatchResponse } from "../../gen/sluice/v1/event_service_pb.ts";
import { TrackBatchResponseSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import type { CliClock } from "../../src/cli/clock.ts";
import type { EventClient } from "../../src/cli/event-client.ts";
import type { OutgoingEvent } from "../../src/cli/outgoing-event.ts";
import { createPeekable } from "../../src/cli/peekable.ts";
import { sendStream } from "../../src/cli/send-stream.ts";

type TrackBatch = (messages: AsyncIterable<TrackBatchRequest>, options?: CallOptions) => Promise<TrackBatchResponse>;
type CallOptions = Parameters<EventClient["trackBatch"]>[1];

/** Sends a stream to a server that is this function, by a clock that only the test moves. */
function send(trackBatch: TrackBatch, { backlogCount = 0, stop = new AbortController() } = {}) {
  const waits: { untilMs: number; end(): void }[] = [];
  let nowMs = 0;
  let stoppingCount = 0;
  const clock: CliClock = {
    nowMs: () => nowMs,
    wait: (ms, signal) =>
      new Promise((resolve) => {
        waits.push({ untilMs: nowMs + ms, end: resolve });
        signal?.addEventListener("abort", () => resolve());
      }),
  };
  const client = { trackBatch } as EventClient;
  const source = createPeekable(endless());
  const end = sendStream(
    Array.from({ length: backlogCount }, () => event),
    source,
    {
      client,
      clock,
      stop: stop.signal,
      onSent: () => undefined,
      onStopping: () => stoppingCount++,
    },
  );
  return {
    end,
    stop,
    stoppingCount: () => stoppingCount,
    advance(ms: number) {
      nowMs += ms;
      for (const one of waits) if (one.untilMs <= nowMs) one.end();
    },
  };
}

const event: OutgoingEvent = { bytes: new Uint8Array(8), file: "f", line: 1, hasOwnId: true };

async function* endless(): AsyncGenerator<OutgoingEvent[]> {
  for (;;) yield [event];
}

function answerFor(count: number): TrackBatchResponse {
  return create(TrackBatchResponseSchema, { acceptedCount: BigInt(count), nextIndex: BigInt(count) });
}

describe("sendStream", () => {
  it("tells the server of a deadline, and leaves it the time to answer to that", async () => {
    let header: unknown;
    const { end, advance } = send(async (_, options) => {
      header = options?.headers;
      expect(options?.timeoutMs).toBeUndefined();
      return new Promise((_, reject) =>
        options?.signal?.addEventListener("abort", (_event) => reject(options.signal?.reason)),
      );
    });

    advance(8500);
    await expect(Promise.race([end, Promise.resolve("open")])).resolves.toBe("open");
    advance(500);

    expect((await end).error).toMatchObject({ code: Code.DeadlineExceeded, rawMessage: "no answer within 8 s" });
    expect(header).toEqual({ "connect-timeout-ms": "8000" });
  });

  it.each([0, 2000])(
    "ends what it sends after 4 s, so that it has its answer, with %d events of a backlog",
    async (backlogCount) => {
      let count = 0;
      const stream = send(
        async (messages) => {
          for await (const _ of messages) {
            count++;
            stream.advance(1500);
          }
          return answerFor(count);
        },
        { backlogCount },
      );

      const { sent, error } = await stream.end;

      expect(error).toBeUndefined();
      expect(count).toBe(3);
      expect(sent).toHaveLength(backlogCount === 0 ? 3 : 1500);
    },
  );

  it("waits for the answer when the user stops it, and says so", async () => {
    const { end, stop, stoppingCount } = send(async (messages) => {
      let count = 0;
      for await (const _ of messages) if (++count === 2) stop.abort();
      return answerFor(count);
    });

    expect(await end).toMatchObject({ sent: [event, event], answer: { acceptedCount: 2n }, error: undefined });
    expect(stoppingCount()).toBe(1);
  });
});
