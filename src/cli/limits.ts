import { toJson } from "@bufbuild/protobuf";
import { GetLimitsResponseSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import { formatJson } from "./event-json.ts";
import { describeLimits } from "./limits-text.ts";
import type { ReadDeps } from "./read-command.ts";
import { runReadCommand } from "./read-command.ts";
import { retryCall } from "./retry-call.ts";

export interface LimitsOptions {
  /** The whole answer as JSON in one line, what is 0 or empty included. Default: a text to read. */
  readonly json?: boolean | undefined;
}

/** Prints what bounds the caller, and what its rate limits have left. Returns the exit code: 0; 1 when the call failed. */
export function showLimits({ json = false }: LimitsOptions, deps: ReadDeps): Promise<number> {
  return runReadCommand(deps, async () => {
    const limits = await retryCall((options) => deps.client.getLimits({}, options), deps);
    const toText = () => formatJson(toJson(GetLimitsResponseSchema, limits, { alwaysEmitImplicit: true }));
    await deps.output.write(json ? toText() : describeLimits(limits));
  });
}
