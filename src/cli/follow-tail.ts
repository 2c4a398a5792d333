import { ConnectError } from "@connectrpc/connect";
import type { TailEventsRequest, TailEventsResponse } from "../../gen/sluice/v1/event_service_pb.ts";
import { isRetryable, isUnreachable, retryDelayMs } from "./call-error.ts";
import type { RetryDeps } from "./retry-call.ts";
import { attemptsMax } from "./retry-call.ts";
import type { TailStreamDeps } from "./tail-stream.ts";
import { readTailStream } from "./tail-stream.ts";

export interface FollowTailDeps extends TailStreamDeps, RetryDeps {
  /** The tail was cut, or cannot begin, and is tried again until it is there. Called once until then. */
  onCut(error: ConnectError, hasBegun: boolean): void;
  /** It is there again, or at last. */
  onBack(hadBegun: boolean): void;
}

/** A tail that is cut sooner than this is tried again later and later. */
const steadyMs = 10_000;

/**
 * The responses of a tail that goes on, each time it is cut, behind the last response that was taken: none of its events
 * comes twice, and none is left out. Ends only when the user stops it. Throws a ConnectError that will come again, and
 * one of a server that has not answered yet: at once when nobody is there, else the fifth.
 */
export async function* followTail(
  request: TailEventsRequest,
  deps: FollowTailDeps,
): AsyncGenerator<TailEventsResponse, void> {
  const { clock, stop } = deps;
  let { afterCursor } = request;
  let attempts = 0;
  let wasAnswered = false;
  let isCut = false;

  while (!stop.aborted) {
    const startMs = clock.nowMs();
    try {
      for await (const response of readTailStream({ ...request, afterCursor }, deps)) {
        if (isCut) deps.onBack(wasAnswered);
        isCut = false;
        wasAnswered = true;
        yield response;
        afterCursor = response.cursor;
      }
    } catch (thrown) {
      const error = ConnectError.from(thrown);
      attempts = clock.nowMs() - startMs < steadyMs ? attempts + 1 : 1;
      const isHopeless = !wasAnswered && (isUnreachable(error) || attempts >= attemptsMax);
      if (isHopeless || !isRetryable(error)) throw error;
      if (!isCut) deps.onCut(error, wasAnswered);
      isCut = true;
      await clock.wait(retryDelayMs(error, attempts, deps.random), stop);
    }
  }
}
