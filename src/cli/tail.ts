import { create } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import type { Event } from "../../gen/sluice/v1/event_pb.ts";
import type { EventFilter } from "../../gen/sluice/v1/event_service_pb.ts";
import { TailEventsRequestSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import { describeCallError, errorInfoOf } from "./call-error.ts";
import { formatEventLines } from "./event-json.ts";
import { createEventTable } from "./event-table.ts";
import { followTail } from "./follow-tail.ts";
import { toPrintable } from "./printable.ts";
import type { ReadDeps } from "./read-command.ts";
import { runReadCommand } from "./read-command.ts";
import { untilStopped } from "./until-stopped.ts";

export interface TailOptions {
  readonly filter: EventFilter;
  /** The cursor to begin behind. Default: from now on, or from the filter's receive time. */
  readonly after?: string | undefined;
  /** After how many events to end. Default: never. */
  readonly limit?: number | undefined;
  /** Events in Sluice's JSON form, one a line, instead of a table. */
  readonly json?: boolean | undefined;
}

export interface TailDeps extends ReadDeps {
  /** Aborted when the user wants it to end. */
  readonly stop: AbortSignal;
}

/**
 * Prints events as they are stored, each once and in order, also when the connection is lost meanwhile. Returns the exit
 * code: 0 when the user stopped it, the output was closed, or there were as many as asked for; 1 when it cannot go on.
 */
export function tailEvents(options: TailOptions, deps: TailDeps): Promise<number> {
  const { output, status, stop, tell, url } = deps;
  const request = create(TailEventsRequestSchema, { filter: options.filter, afterCursor: options.after ?? "" });
  const filtered = Object.keys(options.filter.properties);
  const format = options.json ? formatEventLines : createEventTable(output.columns, { isLive: true, filtered }).format;
  let leftCount = options.limit ?? Number.POSITIVE_INFINITY;
  let printedCursor = "";

  async function printAll(): Promise<void> {
    const responses = followTail(request, {
      ...deps,
      onCut(error, hasBegun) {
        status.clear();
        // Once it has begun, it is the right server: of what is wrong with the address, nothing need be said.
        const cut = `cut off, and trying to go on: ${toPrintable(error.rawMessage).slice(0, 200)}`;
        tell(hasBegun ? cut : `not begun, and trying again: ${describeCallError(error, url)}`);
      },
      onBack: (hadBegun) => tell(hadBegun ? "going on where it was cut off" : "begun"),
    });
    for await (const { events, cursor } of responses) {
      if (printedCursor === "" && events.length === 0) status.show("waiting for events; Ctrl-C ends it");
      if (events.length > 0) await print(events.slice(0, leftCount));
      leftCount -= events.length;
      if (leftCount <= 0) return;
      printedCursor = cursor;
    }
  }

  async function print(events: readonly Event[]): Promise<void> {
    status.clear();
    // Nobody may be reading, and the user want it to end all the same.
    await untilStopped(output.write(format(events)), stop);
  }

  return runReadCommand(deps, printAll, (error) => {
    const goOn =
      describeExpiry(error) ??
      (printedCursor === "" ? "" : `; --after ${toPrintable(printedCursor)} goes on from here`);
    return `${describeCallError(error, url)}${goOn}`;
  });
}

/** What to do when the events behind a cursor are gone; undefined when that is not the error. */
function describeExpiry(error: ConnectError): string | undefined {
  const info = errorInfoOf(error);
  if (info?.reason !== "CURSOR_EXPIRED") return undefined;
  const oldest = info.metadata.oldest_cursor;
  if (!oldest) return "; no event behind it is kept: begin without --after";
  return `; --since 1970-01-01 begins with the oldest event there is, --after ${toPrintable(oldest)} behind it`;
}
