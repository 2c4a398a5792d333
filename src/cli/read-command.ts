import { ConnectError } from "@connectrpc/connect";
import { describeCallError } from "./call-error.ts";
import type { EventClient } from "./event-client.ts";
import type { PageWriter } from "./page-writer.ts";
import { OutputClosed } from "./page-writer.ts";
import type { RetryDeps } from "./retry-call.ts";
import type { StatusLine } from "./status-line.ts";

/** What the commands need that read from the server. */
export interface ReadDeps extends RetryDeps {
  readonly client: EventClient;
  /** Where the client calls, for messages. */
  readonly url: string;
  readonly output: PageWriter;
  readonly status: StatusLine;
  /** Tells of what is not part of what was read. */
  tell(line: string): void;
}

/**
 * Runs a command that reads, and returns its exit code: 0 when it came to its end, or nobody reads the output any more, of
 * which nothing is said; 1 when a call failed for good, which `describe` says in a line. Takes the status line away.
 */
export async function runReadCommand(
  { url, status, tell }: Pick<ReadDeps, "url" | "status" | "tell">,
  read: () => Promise<void>,
  describe: (error: ConnectError) => string = (error) => describeCallError(error, url),
): Promise<number> {
  try {
    await read();
    return 0;
  } catch (error) {
    if (error instanceof OutputClosed) return 0;
    if (!(error instanceof ConnectError)) throw error;
    status.clear();
    tell(describe(error));
    return 1;
  } finally {
    status.clear();
  }
}
