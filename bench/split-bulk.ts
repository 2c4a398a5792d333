import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Event } from "../gen/sluice/v1/event_pb.ts";
import { projectKeys } from "../src/redis/keys.ts";
import { type BenchContext, benchProject } from "./support/bench-context.ts";
import { type Contender, compare } from "./support/compare.ts";
import { createHttpClient } from "./support/http-client.ts";
import { startModule } from "./support/process.ts";
import { realEvents } from "./support/real-events.ts";
import { atLeast, type Row, toRateRow } from "./support/row.ts";
import { runCallers } from "./support/run-callers.ts";
import { createStoredCheck } from "./support/stored-check.ts";
import { keyOf } from "./support/subject.ts";

const eventsPerBody = 500;
const callers = 4;

/** Split's bulk of real events, without ids, against a route of Fastify's that only parses the same bodies. */
export async function benchSplitBulk({ subject, redis, commands, roundMs }: BenchContext): Promise<Row[]> {
  const bare = await startModule(new URL("floors/bare-json-route.ts", import.meta.url));
  const open = (address: string) => createHttpClient(address, keyOf(benchProject), 202, callers);
  const [ourClient, bareClient] = [await open(subject.httpAddress), await open(bare.address)];
  const bodies = makeBodies();
  let sent = 0;
  const postBy = (client: typeof ourClient): Pick<Contender, "run"> => ({
    run: (forMs) =>
      runCallers(callers, forMs, async () => {
        await client.post("/api/events/bulk", bodies[sent++ % bodies.length] ?? Buffer.alloc(0));
        return eventsPerBody;
      }),
  });
  const verify = await createStoredCheck(commands, projectKeys(benchProject).events);
  try {
    const comparisons = await compare(
      {
        work: `Split bulk, ${eventsPerBody} events a body`,
        unit: "events",
        ours: { name: "Sluice", server: subject.server, redis, verify, ...postBy(ourClient) },
        baselines: [{ name: "a bare Fastify route that parses the JSON", server: bare, ...postBy(bareClient) }],
      },
      roundMs,
    );
    return comparisons.map((comparison) => toRateRow(comparison, atLeast(0.5)));
  } finally {
    for (const client of [ourClient, bareClient]) client.close();
    await bare.stop();
  }
}

/** Of the first real events, all that fill a body. */
function makeBodies(): Buffer[] {
  return Array.from({ length: Math.floor(realEvents.length / eventsPerBody) }, (_, i) => {
    const events = realEvents.slice(i * eventsPerBody, (i + 1) * eventsPerBody);
    return Buffer.from(JSON.stringify(events.map(toSplit)));
  });
}

function toSplit({ name, identities, time, value, properties }: Event): object {
  const [[trafficTypeName, key] = []] = Object.entries(identities);
  const timestamp = time && timestampMs(time);
  return { eventTypeId: name, trafficTypeName, key, timestamp, value: value ?? null, properties: properties ?? null };
}
