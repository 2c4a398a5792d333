import type { CallOptions } from "@connectrpc/connect";
import { ConnectError } from "@connectrpc/connect";
import { isRetryable, isUnreachable, retryDelayMs } from "./call-error.ts";
import type { CliClock } from "./clock.ts";

export interface RetryDeps {
  readonly clock: CliClock;
  random(): number;
}

/** How often a call is made that the server has not answered before. */
export const attemptsMax = 5;

const timeoutMs = 60_000;

/**
 * Makes a call that changes nothing until it is answered, 5 times at most. Throws the ConnectError of the last time, and
 * at once one that will come again. `wasAnswered`: whether a call before was; if none was, and nobody is there, it is
 * rather the address that is wrong.
 */
export async function retryCall<T>(
  call: (options: CallOptions) => Promise<T>,
  { clock, random }: RetryDeps,
  wasAnswered = false,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call({ timeoutMs });
    } catch (thrown) {
      const error = ConnectError.from(thrown);
      const isHopeless = !wasAnswered && isUnreachable(error);
      if (isHopeless || attempt >= attemptsMax || !isRetryable(error)) throw error;
      await clock.wait(retryDelayMs(error, attempt, random));
    }
  }
}
