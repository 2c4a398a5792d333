import { fromBinary } from "@bufbuild/protobuf";
import { TrackBatchResponseSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import type { BytesClient } from "./grpc-client.ts";
import { keyOf } from "./subject.ts";

const streams = 4;

/**
 * Sends messages of so many events to a project in a few TrackBatch streams at a time, until there is none. Resolves
 * with how many were stored; rejects unless these are all.
 */
export async function sendBatches(
  client: BytesClient,
  project: string,
  eventsPerMessage: number,
  nextMessage: () => Buffer | undefined,
): Promise<number> {
  let sent = 0;
  const next = () => {
    const message = nextMessage();
    if (message !== undefined) sent += eventsPerMessage;
    return message;
  };
  const key = keyOf(project);
  const answers = await Promise.all(Array.from({ length: streams }, () => client.stream(next, key)));
  const done = answers.reduce((sum, answer) => sum + readAcceptedCount(answer), 0);
  if (done !== sent) throw new Error(`${done} of ${sent} events were accepted`);
  return done;
}

/** How many events a TrackBatchResponse says were stored. */
export function readAcceptedCount(response: Uint8Array): number {
  return Number(fromBinary(TrackBatchResponseSchema, response).acceptedCount);
}
