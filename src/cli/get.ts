import { toJson } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Event } from "../../gen/sluice/v1/event_pb.ts";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import { describeCallError, errorInfoOf } from "./call-error.ts";
import { formatJson } from "./event-json.ts";
import { toPrintable } from "./printable.ts";
import type { ReadDeps } from "./read-command.ts";
import { runReadCommand } from "./read-command.ts";
import { retryCall } from "./retry-call.ts";

/** What an event is known by. */
export interface WantedEvent {
  readonly case: "id" | "cursor";
  readonly value: string;
}

export interface GetOptions {
  readonly events: readonly WantedEvent[];
  /** In one line each. Default: when there are several; one alone is indented. */
  readonly json?: boolean | undefined;
}

/**
 * Prints events as JSON, in the order given, and tells of those that are not there. Returns the exit code: 0 when all
 * are; 1 when one is not, or a call failed for good, with which it ends.
 */
export async function getEvents(options: GetOptions, deps: ReadDeps): Promise<number> {
  const { events, json = events.length > 1 } = options;
  const { client, output, tell, url } = deps;
  let answeredCount = 0;
  let hasMissing = false;

  async function getAll(): Promise<void> {
    for (const wanted of events) {
      const event = await find(wanted);
      answeredCount += 1;
      if (event !== undefined) await output.write(formatJson(toJson(EventSchema, event), { isIndented: !json }));
    }
  }

  async function find(event: WantedEvent): Promise<Event | undefined> {
    try {
      const response = await retryCall((options) => client.getEvent({ event }, options), deps, answeredCount > 0);
      if (response.event !== undefined) return response.event;
      throw new ConnectError("the answer holds no event", Code.Internal);
    } catch (error) {
      const why = error instanceof ConnectError ? whyMissing(error, event) : undefined;
      if (why === undefined) throw error;
      tell(`no event with ${describe(event)} that this key may read: ${why}`);
      hasMissing = true;
      return undefined;
    }
  }

  const exitCode = await runReadCommand(deps, getAll, (error) => {
    const failed = events.length > 1 ? events[answeredCount] : undefined;
    return `${failed === undefined ? "" : `${describe(failed)}: `}${describeCallError(error, url)}`;
  });
  return hasMissing ? 1 : exitCode;
}

function describe({ case: by, value }: WantedEvent): string {
  return `the ${by} ${toPrintable(value)}`;
}

/** Undefined when the error is another one than that there is no such event. */
function whyMissing(error: ConnectError, { case: by }: WantedEvent): string | undefined {
  const reason = errorInfoOf(error)?.reason;
  // Only the server knows whether the cursor is too old, or of something else.
  if (reason === "CURSOR_EXPIRED") return toPrintable(error.rawMessage).slice(0, 500);
  if (reason !== "EVENT_NOT_FOUND") return undefined;
  return by === "id" ? "it did not arrive, or its id is no longer remembered" : "it is no longer kept";
}
