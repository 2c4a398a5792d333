import { toJson } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import { describeCallError, errorInfoOf } from "./call-error.ts";
import { formatJson } from "./event-json.ts";
import { toPrintable } from "./printable.ts";
import type { ReadDeps } from "./read-command.ts";
import { runReadCommand } from "./read-command.ts";
import { retryCall } from "./retry-call.ts";

export interface GetOptions {
  /** What the event is known by. */
  readonly event: { readonly case: "id" | "cursor"; readonly value: string };
  /** In one line. Default: indented. */
  readonly json?: boolean | undefined;
}

/** Prints one event as JSON. Returns the exit code: 0; 1 when there is none, or the call failed. */
export function getEvent({ event, json = false }: GetOptions, deps: ReadDeps): Promise<number> {
  const { client, output, url } = deps;
  return runReadCommand(
    deps,
    async () => {
      const response = await retryCall((options) => client.getEvent({ event }, options), deps);
      if (response.event === undefined) throw new ConnectError("the answer holds no event", Code.Internal);
      await output.write(formatJson(toJson(EventSchema, response.event), { isIndented: !json }));
    },
    (error) => (isNotFound(error) ? describeNoEvent(event) : describeCallError(error, url)),
  );
}

function isNotFound(error: ConnectError): boolean {
  return errorInfoOf(error)?.reason === "EVENT_NOT_FOUND";
}

function describeNoEvent({ case: by, value }: GetOptions["event"]): string {
  const why = by === "id" ? "it did not arrive, or its id is no longer remembered" : "it is no longer kept";
  return `no event with the ${by} ${toPrintable(value)} that this key may read: ${why}`;
}
