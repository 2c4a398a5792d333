import type { Redis } from "ioredis";
import { sendBatches } from "./support/batch-streams.ts";
import { type Contender, compare, runCount } from "./support/compare.ts";
import { tinyDataSet } from "./support/data-sets.ts";
import { createBytesClient } from "./support/grpc-client.ts";
import { loadEvents } from "./support/load-events.ts";
import type { ReadSubject } from "./support/read-subject.ts";
import type { Row } from "./support/row.ts";
import { toScaleRow } from "./support/scale-row.ts";
import { createSupply } from "./support/supply.ts";
import { takeBatchRequest } from "./support/track-request.ts";

const eventsPerMessage = 100;
/** Short, so that few stay few. */
const roundMs = 500;
const loadMaxMs = 420_000;

/** One for each run: after it they have more than a few events. */
const few = Array.from({ length: runCount }, (_, i) => tinyDataSet(`few-${i}`, 10_000));
const many = [tinyDataSet("many-1m", 1_000_000), tinyDataSet("many-10m", 10_000_000)];

/** The projects that are filled. */
export const filledProjects: readonly string[] = [...few, ...many].map(({ name }) => name);

/** What an event of TrackBatch costs beside many others that are stored, to what it costs beside few. */
export async function benchStored(subject: ReadSubject, redis: Redis, eventsMax: number): Promise<Row[]> {
  const work = (eventCount: number) => `TrackBatch, ${eventsPerMessage} events a message, ${eventCount} stored`;
  const against = `${few[0]?.eventCount} stored`;
  const skipped: Row[] = [];
  const loaded: typeof many = [];
  for (const dataSet of [...few, ...many]) {
    const { eventCount } = dataSet;
    const fault =
      eventCount > eventsMax
        ? `more than ${eventsMax} events`
        : (await loadEvents(redis, dataSet, loadMaxMs, []))
          ? undefined
          : `not stored within ${loadMaxMs / 1000} s`;
    if (fault !== undefined) skipped.push({ work: work(eventCount), against, skipped: fault });
    else if (many.includes(dataSet)) loaded.push(dataSet);
  }
  const client = createBytesClient(subject.grpcAddress, "");
  const messages = createSupply(() => takeBatchRequest(eventsPerMessage));
  const contend = (name: string, takeProject: () => string): Contender => ({
    name,
    // Of both, as an event costs both.
    server: subject,
    prepare: messages.refill,
    async run(forMs) {
      const endMs = performance.now() + forMs;
      const next = () => (performance.now() < endMs ? messages.take() : undefined);
      return { done: await sendBatches(client, takeProject(), eventsPerMessage, next), tookMs: [] };
    },
  });
  const left = few.map(({ name }) => name);
  const ours = contend(against, () => left.shift() ?? "none is left");
  const baselines = loaded.map(({ name, eventCount }) => contend(work(eventCount), () => name));
  try {
    const comparisons = await compare(
      { work: "TrackBatch by events stored", unit: "events", ours, baselines },
      roundMs,
    );
    return [...comparisons.map((comparison) => toScaleRow(comparison, against)), ...skipped];
  } finally {
    client.close();
  }
}
