import type { Event } from "../../gen/sluice/v1/event_pb.ts";
import type { EventFilter } from "../../gen/sluice/v1/event_service_pb.ts";
import { Order } from "../../gen/sluice/v1/event_service_pb.ts";
import { describeCallError } from "./call-error.ts";
import { formatEventLines } from "./event-json.ts";
import { createEventTable } from "./event-table.ts";
import type { ReadDeps } from "./read-command.ts";
import { runReadCommand } from "./read-command.ts";
import { retryCall } from "./retry-call.ts";
import { untilStopped } from "./until-stopped.ts";

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

export interface ListDeps extends ReadDeps {
  /** Aborted when the user wants it to end. */
  readonly stop: AbortSignal;
}

/**
 * Lists events page by page. Returns the exit code: 0 when all were listed, or the output was closed; 130 when the user
 * stopped it; 1 when a call failed for good. While nothing is found for long, the status says that it goes on.
 */
export async function listEvents(options: ListOptions, deps: ListDeps): Promise<number> {
  const { client, clock, output, status, stop, tell } = deps;
  const { filter, limit = Number.POSITIVE_INFINITY, pageSize = options.json ? 1000 : 100 } = options;
  const order = options.oldestFirst ? Order.OLDEST_FIRST : Order.NEWEST_FIRST;
  const filtered = Object.keys(filter.properties);
  const format = options.json ? formatEventLines : createEventTable(output.columns, { filtered }).format;
  let listedCount = 0;
  let isStopped = false;

  async function listAll(): Promise<void> {
    let pageToken = "";
    let foundAtMs = clock.nowMs();
    do {
      const request = { filter, order, pageSize: Math.min(pageSize, limit - listedCount), pageToken };
      const call = retryCall((options) => client.listEvents(request, options), deps, pageToken !== "");
      const page = await untilStopped(call, stop);
      isStopped = page === undefined || (page.events.length > 0 && !(await print(page.events)));
      if (page === undefined || isStopped) return;
      if (page.events.length > 0) foundAtMs = clock.nowMs();
      const silentMs = clock.nowMs() - foundAtMs;
      if (silentMs >= silentMsMax) status.show(`no event for ${Math.floor(silentMs / 1000)} s, still looking`);
      pageToken = page.nextPageToken;
    } while (pageToken !== "" && listedCount < limit);
    status.clear();
    tell(toCountText(listedCount));
  }

  /** Whether it was printed before the user stopped: nobody may be reading. */
  async function print(events: readonly Event[]): Promise<boolean> {
    status.clear();
    const written = output.write(format(events)).then(() => true);
    if (!(await untilStopped(written, stop))) return false;
    listedCount += events.length;
    return true;
  }

  const exitCode = await runReadCommand(deps, listAll, (error) => {
    const soFar = listedCount > 0 ? `; listed ${toCountText(listedCount)}` : "";
    return `${describeCallError(error, deps.url)}${soFar}`;
  });
  if (!isStopped) return exitCode;
  tell(`stopped; listed ${toCountText(listedCount)}`);
  return 130;
}

function toCountText(count: number): string {
  return count === 1 ? "1 event" : `${count} events`;
}

/** How long nothing need be found for the status to say so. */
const silentMsMax = 2000;
