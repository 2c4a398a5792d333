import { projectKeys } from "../src/redis/keys.ts";
import { sendBatches } from "./support/batch-streams.ts";
import { type BenchContext, memoryProject } from "./support/bench-context.ts";
import { deleteKeys } from "./support/freed-memory.ts";
import { createBytesClient } from "./support/grpc-client.ts";
import { takeEncodedEvents } from "./support/real-events.ts";
import { atMost, type Row } from "./support/row.ts";
import { keyOf } from "./support/subject.ts";
import { encodeBatchRequest } from "./support/track-request.ts";

const eventCount = 1_000_000;
const eventsPerMessage = 500;
const withinMs = 60_000;

/**
 * What an event takes of Redis' memory beyond its own bytes: what is freed when the indexes, the ids and the stream of
 * a project are deleted one after the other.
 */
export async function measureMemory({ subject, commands }: BenchContext): Promise<Row[]> {
  const keys = projectKeys(memoryProject);
  const { events, bytes } = await storeEvents(subject.grpcAddress);
  const stored = await commands.xlen(keys.events);
  if (stored !== events) throw new Error(`${stored} events are stored, and ${events} were accepted`);

  const indexes = await deleteKeys(commands, `${keys.index}:*`);
  const ids = await deleteKeys(commands, `${keys.ids}:*`);
  const stream = await deleteKeys(commands, keys.events);
  for (const [what, { keyCount }] of Object.entries({ indexes, ids, stream })) {
    if (keyCount === 0) throw new Error(`there are no keys of the ${what}`);
  }
  const own = bytes / events;
  const toRow = (what: string, perEvent: number, keyCount: number, limit: number): Row => ({
    work: `Redis' memory for an event of ${events}: ${what}`,
    against: "its own bytes",
    ours: `${perEvent.toFixed(1)} B in ${keyCount} keys`,
    baseline: `${own.toFixed(0)} B`,
    figure: perEvent,
    aim: atMost(limit, "B"),
  });
  return [
    toRow("stream", stream.freed / events - own, stream.keyCount, 20),
    toRow("two indexes", indexes.freed / events, indexes.keyCount, 30),
    toRow("dedupe, one generation", ids.freed / events, ids.keyCount, 45),
  ];
}

/** Tracks a million events, or as many as there is time for. */
async function storeEvents(grpcAddress: string): Promise<{ events: number; bytes: number }> {
  const client = createBytesClient(grpcAddress, keyOf(memoryProject));
  const endMs = performance.now() + withinMs;
  let left = eventCount;
  let bytes = 0;
  const next = () => {
    if (left === 0 || performance.now() > endMs) return undefined;
    left -= eventsPerMessage;
    const events = takeEncodedEvents(eventsPerMessage);
    for (const event of events) bytes += event.bytes.length;
    return encodeBatchRequest(events);
  };
  try {
    return { events: await sendBatches(client, memoryProject, eventsPerMessage, next), bytes };
  } finally {
    client.close();
  }
}
