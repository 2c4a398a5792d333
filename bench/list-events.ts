import { Redis } from "ioredis";
import { projectKeys } from "../src/redis/keys.ts";
import { type Comparison, compare, runCallers } from "./support/compare.ts";
import { createBytesClient } from "./support/grpc-client.ts";
import { encodeListRequest, readPage } from "./support/list-page.ts";
import type { Subject } from "./support/subject.ts";

const pageSize = 100;
const callers = 4;

/** ListEvents, page after page from the newest, against raw XREVRANGE of the same stream. */
export async function benchListEvents(subject: Subject): Promise<Comparison> {
  const client = createBytesClient(subject.grpcAddress, subject.key);
  const redis = new Redis(subject.redisSocket);
  const { events: stream } = projectKeys("dev");

  async function runOurs(forMs: number): Promise<number> {
    const tokens = Array.from({ length: callers }, () => "");
    return runCallers(callers, forMs, async () => {
      const request = encodeListRequest({}, pageSize, tokens.shift() ?? "");
      tokens.push(readPage(await client.call("ListEvents", request)).nextPageToken);
      return 1;
    });
  }

  async function runBaseline(forMs: number): Promise<number> {
    const bounds = Array.from({ length: callers }, () => "+");
    return runCallers(callers, forMs, async () => {
      const entries = await redis.xrevrangeBuffer(stream, bounds.shift() ?? "+", "-", "COUNT", pageSize);
      const last = entries.at(-1)?.[0].toString();
      bounds.push(last === undefined ? "+" : `(${last}`);
      return 1;
    });
  }

  try {
    return await compare(
      `ListEvents, gRPC, pages of ${pageSize}`,
      "pages",
      { name: "Sluice", server: subject.server, run: runOurs },
      { name: "raw XREVRANGE through ioredis", run: runBaseline },
    );
  } finally {
    client.close();
    redis.disconnect();
  }
}
