import { Order } from "../gen/sluice/v1/event_service_pb.ts";
import { projectKeys } from "../src/redis/keys.ts";
import { compare } from "./support/compare.ts";
import type { DataSet } from "./support/data-sets.ts";
import type { Finding } from "./support/finding.ts";
import { createBytesClient } from "./support/grpc-client.ts";
import { encodeListRequest, readPage } from "./support/list-page.ts";
import type { ReadSubject } from "./support/read-subject.ts";
import { keyOf } from "./support/subject.ts";

const pageSize = 1000;
const roundMs = 1000;
const ratioMin = 0.5;

/** All events of a project, oldest first and page after page, against XRANGE through ioredis. */
export async function benchEverything(subject: ReadSubject, { name }: DataSet): Promise<Finding> {
  const client = createBytesClient(subject.grpcAddress, keyOf(name));
  const redis = subject.redis.connect();
  let pageToken = "";
  let start = "-";

  async function nextPage(): Promise<number> {
    const request = encodeListRequest({ order: Order.OLDEST_FIRST }, pageSize, pageToken);
    const page = readPage(await client.call("ListEvents", request));
    pageToken = page.nextPageToken;
    return page.eventCount;
  }

  async function nextRange(): Promise<number> {
    const entries = await redis.xrangeBuffer(projectKeys(name).events, start, "+", "COUNT", pageSize);
    const last = entries.at(-1)?.[0].toString();
    start = last === undefined ? "-" : `(${last}`;
    return entries.length;
  }

  try {
    const { oursPerSecond, baselinePerSecond, ratio } = await compare(
      `${name}: everything, by pages of ${pageSize}`,
      "events",
      { name: "Sluice", run: (forMs) => repeat(forMs, nextPage) },
      { name: `XRANGE COUNT ${pageSize} through ioredis`, run: (forMs) => repeat(forMs, nextRange) },
      roundMs,
    );
    return {
      what: `${name}: everything, by pages of ${pageSize}, to XRANGE through ioredis`,
      figures: `${Math.round(oursPerSecond)} events/s to ${Math.round(baselinePerSecond)}`,
      ratio,
      mustHold: `≥ ${ratioMin}`,
      holds: ratio >= ratioMin,
    };
  } finally {
    client.close();
    redis.disconnect();
  }
}

async function repeat(forMs: number, read: () => Promise<number>): Promise<number> {
  const endMs = performance.now() + forMs;
  let done = 0;
  while (performance.now() < endMs) done += await read();
  return done;
}
