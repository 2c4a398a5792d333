import { Order } from "../gen/sluice/v1/event_service_pb.ts";
import { projectKeys } from "../src/redis/keys.ts";
import { createNewestRanges, createOldestRanges } from "./floors/raw-ranges.ts";
import { createBatchContender } from "./support/batch-contender.ts";
import { type BenchContext, benchProject } from "./support/bench-context.ts";
import { type Contender, compare } from "./support/compare.ts";
import { encodeListRequest, readPage } from "./support/list-page.ts";
import { atLeast, type Row, toRateRow } from "./support/row.ts";
import { runCallers } from "./support/run-callers.ts";
import { keyOf } from "./support/subject.ts";
import { createUnaryClient } from "./support/unary-client.ts";

const { events: stream } = projectKeys(benchProject);

/** What is read, when nothing else has been measured before. */
const eventsMin = 200_000;

/** ListEvents, page after page from the newest. */
export async function benchNewestPages(context: BenchContext): Promise<Row[]> {
  const [pageSize, callers] = [100, 4];
  const baseline = createNewestRanges(context.redis, context.commands, stream, pageSize, callers);
  const work = `ListEvents, gRPC, pages of ${pageSize}`;
  return benchPages(context, work, Order.NEWEST_FIRST, pageSize, callers, baseline);
}

/** ListEvents of everything, page after page from the oldest, by one caller. */
export async function benchEverything(context: BenchContext): Promise<Row[]> {
  const pageSize = 1000;
  const baseline = createOldestRanges(context.redis, context.commands, stream, pageSize, 1);
  return benchPages(
    context,
    `ListEvents, gRPC, everything by pages of ${pageSize}`,
    Order.OLDEST_FIRST,
    pageSize,
    1,
    baseline,
  );
}

async function benchPages(
  context: BenchContext,
  work: string,
  order: Order,
  pageSize: number,
  callers: number,
  baseline: Contender,
): Promise<Row[]> {
  await storeEvents(context);
  const { subject, redis, roundMs } = context;
  const client = await createUnaryClient(subject.grpcAddress, keyOf(benchProject));
  const ours: Contender = {
    name: "Sluice",
    server: subject.server,
    redis,
    run(forMs) {
      const tokens = Array.from({ length: callers }, () => "");
      return runCallers(callers, forMs, async () => {
        const request = encodeListRequest({ order }, pageSize, tokens.shift() ?? "");
        const { eventCount, nextPageToken } = readPage(await client.call("ListEvents", request));
        if (eventCount < pageSize && nextPageToken !== "") throw new Error(`a page has ${eventCount} events`);
        // From the start again behind the last page.
        tokens.push(nextPageToken);
        return eventCount;
      });
    },
  };
  try {
    const comparisons = await compare({ work, unit: "events", ours, baselines: [baseline] }, roundMs);
    return comparisons.map((comparison) => toRateRow(comparison, atLeast(0.7)));
  } finally {
    client.close();
  }
}

async function storeEvents(context: BenchContext): Promise<void> {
  const batches = await createBatchContender(context, 500);
  try {
    while ((await context.commands.xlen(stream)) < eventsMin) await batches.run(1000);
  } finally {
    batches.close();
  }
}
