import type { Contender } from "./compare.ts";
import type { MeasuredProcess } from "./process.ts";
import { runCallers } from "./run-callers.ts";
import { createSupply } from "./supply.ts";
import { takeTrackRequest } from "./track-request.ts";
import { createUnaryClient } from "./unary-client.ts";

/** A gRPC server that takes Track. */
export interface TrackServer extends Pick<Contender, "name" | "redis" | "verify"> {
  readonly server: MeasuredProcess;
  readonly address: string;
}

/** Calls Track of a server, with an event a call, and with so many callers at a time. */
export async function createTrackContender(
  { address, ...rest }: TrackServer,
  key: string,
  callers: number,
): Promise<Contender & { close(): void }> {
  const client = await createUnaryClient(address, key);
  const requests = createSupply(takeTrackRequest);
  return {
    ...rest,
    prepare: requests.refill,
    run: (forMs) =>
      runCallers(callers, forMs, async () => {
        await client.call("Track", requests.take());
        return 1;
      }),
    close: client.close,
  };
}
