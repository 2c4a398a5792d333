import type { EventFilter } from "../../gen/sluice/v1/event_service_pb.ts";
import { Order } from "../../gen/sluice/v1/event_service_pb.ts";
import { describeCallError } from "./call-error.ts";
import { formatEventLines } from "./event-json.ts";
import { createEventTable } from "./event-table.ts";
import type { ReadDeps } from "./read-command.ts";
import { runReadCommand } from "./read-command.ts";
import { retryCall } from "./retry-call.ts";

export interface ListOptions {
  readonly filter: EventFilter;
  /** Default: newest first. */
  readonly oldestFirst?: boolean | undefined;
  /** How many events to list. Default: all. */
  readonly limit?: number | undefined;
  /** Events asked for in one call, at most 1,000. Default 100, and 1,000 for JSON. */
  readonly pageSize?: number | undefined;
  /** Events in Sluice's JSON form, one a line, instead of a table. */
  readonly json?: boolean | undefined;
}

/**
 * Lists events page by page. Returns the exit code: 0 when all were listed, or the output was closed; 1 when a call
 * failed for good. While nothing is found for long, the status says that it goes on.
 */
export function listEvents(options: ListOptions, deps: ReadDeps): Promise<number> {
  const { client, clock, output, status, tell } = deps;
  const { filter, limit = Number.POSITIVE_INFINITY, pageSize = options.json ? 1000 : 100 } = options;
  const order = options.oldestFirst ? Order.OLDEST_FIRST : Order.NEWEST_FIRST;
  const format = options.json ? formatEventLines : createEventTable(output.columns).format;
  let listedCount = 0;

  async function listAll(): Promise<void> {
    let pageToken = "";
    let foundAtMs = clock.nowMs();
    do {
      const request = { filter, order, pageSize: Math.min(pageSize, limit - listedCount), pageToken };
      const page = await retryCall((options) => client.listEvents(request, options), deps, pageToken !== "");
      if (page.events.length > 0) {
        status.clear();
        await output.write(format(page.events));
        listedCount += page.events.length;
        foundAtMs = clock.nowMs();
      }
      const silentMs = clock.nowMs() - foundAtMs;
      if (silentMs >= silentMsMax) status.show(`no event found for ${Math.floor(silentMs / 1000)} s, still looking`);
      pageToken = page.nextPageToken;
    } while (pageToken !== "" && listedCount < limit);
    status.clear();
    tell(`${listedCount} events`);
  }

  return runReadCommand(deps, listAll, (error) => {
    const soFar = listedCount > 0 ? `; listed ${listedCount} events` : "";
    return `${describeCallError(error, deps.url)}${soFar}`;
  });
}

/** How long nothing need be found for the status to say so. */
const silentMsMax = 2000;
