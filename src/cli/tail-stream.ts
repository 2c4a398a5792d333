import type { CallOptions } from "@connectrpc/connect";
import { Code, ConnectError } from "@connectrpc/connect";
import type { TailEventsRequest, TailEventsResponse } from "../../gen/sluice/v1/event_service_pb.ts";
import type { CliClock } from "./clock.ts";
import type { EventClient } from "./event-client.ts";
import { untilStopped } from "./until-stopped.ts";

export interface TailStreamDeps {
  readonly client: Pick<EventClient, "tailEvents">;
  readonly clock: CliClock;
  /** Aborted when the user wants it to end. */
  readonly stop: AbortSignal;
}

/** A server says something every 15 s; after three times that, the connection is lost. */
const silenceMaxMs = 45_000;

/**
 * The responses of one TailEvents call, each as soon as it is here, read no faster than they are taken. Ends only when the
 * user stops it; throws a ConnectError when it is cut, or silent for 45 s.
 */
export async function* readTailStream(
  request: TailEventsRequest,
  { client, clock, stop }: TailStreamDeps,
): AsyncGenerator<TailEventsResponse, void> {
  const call = new AbortController();
  const options: CallOptions = { signal: call.signal };
  const responses = client.tailEvents(request, options)[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await untilStopped(unlessSilent(responses.next(), clock), stop);
      if (next === undefined) return;
      if (next.done) throw new ConnectError("the server ended the tail", Code.Aborted);
      yield next.value;
    }
  } finally {
    call.abort();
  }
}

async function unlessSilent<T>(next: Promise<T>, clock: CliClock): Promise<T> {
  const heard = new AbortController();
  const silence = clock.wait(silenceMaxMs, heard.signal).then(() => {
    throw new ConnectError(`nothing was heard of the server for ${silenceMaxMs / 1000} s`, Code.DeadlineExceeded);
  });
  try {
    return await Promise.race([next, silence]);
  } finally {
    heard.abort();
  }
}
