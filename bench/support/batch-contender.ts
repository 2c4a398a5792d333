import { projectKeys } from "../../src/redis/keys.ts";
import { sendBatches } from "./batch-streams.ts";
import { type BenchContext, benchProject } from "./bench-context.ts";
import type { Contender } from "./compare.ts";
import { createBytesClient } from "./grpc-client.ts";
import { createStoredCheck } from "./stored-check.ts";
import { keyOf } from "./subject.ts";
import { createSupply } from "./supply.ts";
import { takeBatchRequest } from "./track-request.ts";

/** Our TrackBatch: a few streams on one connection, with so many events a message. */
export async function createBatchContender(
  { subject, redis, commands }: Pick<BenchContext, "subject" | "redis" | "commands">,
  eventsPerMessage: number,
): Promise<Contender & { close(): void }> {
  const client = createBytesClient(subject.grpcAddress, keyOf(benchProject));
  const messages = createSupply(() => takeBatchRequest(eventsPerMessage));
  return {
    name: "Sluice",
    server: subject.server,
    redis,
    prepare: messages.refill,
    async run(forMs) {
      const endMs = performance.now() + forMs;
      const next = () => (performance.now() < endMs ? messages.take() : undefined);
      return { done: await sendBatches(client, benchProject, eventsPerMessage, next), tookMs: [] };
    },
    verify: await createStoredCheck(commands, projectKeys(benchProject).events),
    close: client.close,
  };
}
