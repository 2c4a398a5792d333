import { toJson } from "@bufbuild/protobuf";
import { EventSchema } from "../gen/sluice/v1/event_pb.ts";
import { projectKeys } from "../src/redis/keys.ts";
import { type BenchContext, benchProject } from "./support/bench-context.ts";
import { type Contender, compare } from "./support/compare.ts";
import { createHttpClient } from "./support/http-client.ts";
import { startModule } from "./support/process.ts";
import { realEvents, takeId } from "./support/real-events.ts";
import { atLeast, type Row, toRateRow } from "./support/row.ts";
import { runCallers } from "./support/run-callers.ts";
import { createStoredCheck } from "./support/stored-check.ts";
import { keyOf } from "./support/subject.ts";
import { createSupply } from "./support/supply.ts";

const callers = 64;

/** Track through Connect's JSON over HTTP/1.1, one event a call. */
export async function benchTrackConnect({ subject, redis, commands, roundMs }: BenchContext): Promise<Row[]> {
  const empty = await startModule(new URL("floors/empty-connect-handler.ts", import.meta.url));
  const open = (address: string) => createHttpClient(address, keyOf(benchProject), 200, callers);
  const [ourClient, emptyClient] = [await open(subject.httpAddress), await open(empty.address)];
  const bodies = createSupply(takeBody);
  const trackBy = (client: typeof ourClient): Pick<Contender, "prepare" | "run"> => ({
    prepare: bodies.refill,
    run: (forMs) =>
      runCallers(callers, forMs, async () => {
        await client.post("/sluice.v1.EventService/Track", bodies.take());
        return 1;
      }),
  });
  const verify = await createStoredCheck(commands, projectKeys(benchProject).events);
  try {
    const comparisons = await compare(
      {
        work: `Track, Connect JSON, ${callers} callers`,
        unit: "calls",
        ours: { name: "Sluice", server: subject.server, redis, verify, ...trackBy(ourClient) },
        baselines: [{ name: "an empty Connect handler", server: empty, ...trackBy(emptyClient) }],
      },
      roundMs,
    );
    return comparisons.map((comparison) => toRateRow(comparison, atLeast(0.85)));
  } finally {
    for (const client of [ourClient, emptyClient]) client.close();
    await empty.stop();
  }
}

const withoutIds = realEvents.map((event) => JSON.stringify(toJson(EventSchema, { ...event, id: "" })));
let taken = 0;

/** A request with the next of the real events. */
function takeBody(): Buffer {
  const fields = withoutIds[taken++ % withoutIds.length]?.slice(1);
  return Buffer.from(`{"event":{"id":"${takeId()}",${fields}}`);
}
