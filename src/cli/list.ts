import { toJson } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import type { Event } from "../../gen/sluice/v1/event_pb.ts";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import type { ListEventsResponse } from "../../gen/sluice/v1/event_service_pb.ts";
import { Order } from "../../gen/sluice/v1/event_service_pb.ts";
import { describeCallError, isRetryable, isUnreachable, retryDelayMs } from "./call-error.ts";
import type { CliClock } from "./clock.ts";
import type { EventClient } from "./event-client.ts";
import { createEventTable } from "./event-table.ts";
import type { PageWriter } from "./page-writer.ts";
import { OutputClosed } from "./page-writer.ts";
import { toPrintable } from "./printable.ts";

export interface ListOptions {
  /** Default: newest first. */
  readonly oldestFirst?: boolean | undefined;
  /** Events of any of these names. Default: of all. */
  readonly names?: readonly string[] | undefined;
  readonly includeTest?: boolean | undefined;
  /** How many events to list. Default: all. */
  readonly limit?: number | undefined;
  /** Events asked for in one call, at most 1,000. Default 100, and 1,000 for JSON. */
  readonly pageSize?: number | undefined;
  /** Events in Sluice's JSON form, one a line, instead of a table. */
  readonly json?: boolean | undefined;
}

export interface ListDeps {
  readonly client: EventClient;
  /** Where the client calls, for messages. */
  readonly url: string;
  readonly clock: CliClock;
  random(): number;
  readonly output: PageWriter;
  /** Tells of what is not part of the list. */
  tell(line: string): void;
}

/**
 * Lists events page by page. Returns the exit code: 0 when all were listed, or the output was closed; 1 when a call
 * failed for good.
 */
export async function listEvents(options: ListOptions, deps: ListDeps): Promise<number> {
  const { output, tell } = deps;
  const limit = options.limit ?? Number.POSITIVE_INFINITY;
  const pageSize = options.pageSize ?? (options.json ? 1000 : 100);
  const format = options.json ? formatJson : createEventTable(output.columns).format;
  let pageToken = "";
  let listedCount = 0;
  try {
    while (listedCount < limit) {
      const size = Math.min(pageSize, limit - listedCount);
      const page = await readPage({ options, size, pageToken }, deps);
      if (page.events.length > 0) await output.write(format(page.events));
      listedCount += page.events.length;
      pageToken = page.nextPageToken;
      if (pageToken === "") break;
    }
  } catch (error) {
    if (error instanceof OutputClosed) return 0;
    if (!(error instanceof ConnectError)) throw error;
    tell(`${describeCallError(error, deps.url)}${listedCount > 0 ? `; listed ${listedCount} events` : ""}`);
    return 1;
  }
  tell(`${listedCount} events`);
  return 0;
}

interface PageQuery {
  readonly options: ListOptions;
  readonly size: number;
  readonly pageToken: string;
}

const attemptsMax = 5;

async function readPage({ options, size, pageToken }: PageQuery, deps: ListDeps): Promise<ListEventsResponse> {
  const request = {
    filter: { names: [...(options.names ?? [])], includeTest: options.includeTest ?? false },
    order: options.oldestFirst ? Order.OLDEST_FIRST : Order.NEWEST_FIRST,
    pageSize: size,
    pageToken,
  };
  for (let attempt = 1; ; attempt++) {
    try {
      return await deps.client.listEvents(request, { timeoutMs: 60_000 });
    } catch (thrown) {
      const error = ConnectError.from(thrown);
      // Nothing was ever there, so that it is rather the address that is wrong.
      const isHopeless = pageToken === "" && isUnreachable(error);
      if (isHopeless || attempt >= attemptsMax || !isRetryable(error)) throw error;
      await deps.clock.wait(retryDelayMs(error, attempt, deps.random));
    }
  }
}

function formatJson(events: readonly Event[]): string {
  // JSON itself lets pass what some terminals take for a command, such as U+009B.
  return events.map((event) => `${toPrintable(JSON.stringify(toJson(EventSchema, event)))}\n`).join("");
}
