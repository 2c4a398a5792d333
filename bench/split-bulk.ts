import { Agent, request } from "node:http";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Event } from "../gen/sluice/v1/event_pb.ts";
import { type Comparison, compare, runCallers } from "./support/compare.ts";
import { startProcess } from "./support/process.ts";
import { takeEvents } from "./support/real-events.ts";
import type { Subject } from "./support/subject.ts";

const eventsPerBody = 500;
const callers = 4;

/** Split's bulk of real events, without ids, against a route of Fastify's that only parses the same bodies. */
export async function benchSplitBulk(subject: Subject): Promise<Comparison> {
  const script = new URL("support/json-route.ts", import.meta.url).pathname;
  const bare = await startProcess(process.execPath, [script], /listens on (\S+)/);
  const bareAddress = /listens on (\S+)/.exec(bare.output)?.[1] ?? "";
  const agent = new Agent({ keepAlive: true, maxSockets: callers });
  const bodies = Array.from({ length: 20 }, () => Buffer.from(JSON.stringify(takeEvents(eventsPerBody).map(toSplit))));
  let sent = 0;

  const postTo = (address: string) => (forMs: number) =>
    runCallers(callers, forMs, async () => {
      const body = bodies[sent++ % bodies.length] ?? Buffer.alloc(0);
      const status = await post(agent, `http://${address}/api/events/bulk`, subject.key, body);
      if (status !== 202) throw new Error(`${address} answered ${status}`);
      return eventsPerBody;
    });

  try {
    return await compare(
      `Split bulk, ${eventsPerBody} events a body`,
      "events",
      { name: "Sluice", server: subject.server, run: postTo(subject.httpAddress) },
      { name: "a bare Fastify route that parses the JSON", server: bare, run: postTo(bareAddress) },
    );
  } finally {
    agent.destroy();
    await bare.stop();
  }
}

function toSplit({ name, identities, time, value, properties }: Event): object {
  const [[trafficTypeName, key] = []] = Object.entries(identities);
  const timestamp = time && timestampMs(time);
  return { eventTypeId: name, trafficTypeName, key, timestamp, value: value ?? null, properties: properties ?? null };
}

function post(agent: Agent, url: string, key: string, body: Buffer): Promise<number> {
  const headers = { "content-type": "application/json", authorization: `Bearer ${key}`, "content-length": body.length };
  return new Promise((resolve, reject) => {
    const sending = request(url, { method: "POST", agent, headers }, (response) => {
      response.resume();
      response.once("end", () => resolve(response.statusCode ?? 0));
    });
    sending.once("error", reject);
    sending.end(body);
  });
}
