import { fromBinary } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { ListEventsResponseSchema, Order } from "../gen/sluice/v1/event_service_pb.ts";
import { type DataSet, rare } from "./support/data-sets.ts";
import { atMost, type Finding, within } from "./support/finding.ts";
import { type BytesClient, createBytesClient } from "./support/grpc-client.ts";
import { encodeListRequest, type ListQuery, readPage, walk } from "./support/list-page.ts";
import { quantile } from "./support/quantile.ts";
import type { ReadSubject } from "./support/read-subject.ts";
import { findSlowCommands } from "./support/slow-commands.ts";
import { keyOf } from "./support/subject.ts";

const pageSize = 100;
const deepPage = 10_000;
const rounds = 5;
const roundMs = 400;
const walkMs = 60_000;

/** Two data sets that differ in how many events they have, and in nothing else. */
export interface DataSetPair {
  readonly few: DataSet;
  readonly many: DataSet;
}

/** A page that is asked for again and again. */
interface Page {
  readonly what: string;
  readonly client: BytesClient;
  readonly request: Buffer;
  readonly eventCount: number;
  /** What its costs are compared with, by a verdict on their ratio. */
  readonly to?: Page;
  readonly judge?: (ratio: number) => Partial<Finding>;
  /** Of each round: processor time of a page at the server and at Redis, and the median of how long it took. */
  readonly costsUs: number[];
  readonly latenciesMs: number[];
}

/** What a page of 100 costs, wherever it is, whatever is looked for, and however many events there are. */
export async function benchPages(subject: ReadSubject, pairs: readonly DataSetPair[]): Promise<Finding[]> {
  const clients: BytesClient[] = [];
  const clientOf = ({ name }: DataSet) => {
    const client = createBytesClient(subject.grpcAddress, keyOf(name));
    clients.push(client);
    return client;
  };
  const redis = subject.redis.connect();
  try {
    await redis.slowlog("RESET");
    const pages: Page[] = [];
    for (const { few, many } of pairs) {
      const newest = await openPage(clientOf(few), `${few.name}: newest`, {});
      pages.push(newest, ...(await openPages(clientOf(many), many, newest)));
    }
    for (let round = 0; round < rounds; round++) {
      process.stderr.write(`pages of ${pageSize}: round ${round + 1} of ${rounds}\n`);
      for (const page of pages) await measure(page, subject);
    }
    return [...pages.map(toFinding), await findSlowCommands(redis, `with pages of ${pageSize}`)];
  } finally {
    for (const client of clients) client.close();
    redis.disconnect();
  }
}

async function openPages(client: BytesClient, { name, eventCount }: DataSet, ofFew: Page): Promise<Page[]> {
  const newest = await openPage(client, `${name}: newest`, {}, { to: ofFew, judge: (ratio) => within(1.3, ratio) });
  const open = (what: string, query: ListQuery, options: OpenOptions) =>
    openPage(client, `${name}: ${what}`, query, { to: newest, ...options });

  const pages = [newest];
  const lastPage = eventCount / pageSize;
  for (const page of new Set([Math.min(deepPage, lastPage), lastPage])) {
    const what = `page ${page}${page === lastPage ? ", the last" : ""}`;
    process.stderr.write(`${name}: walking to ${what}\n`);
    const pageToken = await walk(client, {}, (page - 1) * pageSize, walkMs);
    if (pageToken === undefined) process.stderr.write(`${name}: ${what} was not reached in time, and is left out\n`);
    else pages.push(await open(what, {}, { pageToken, judge: (ratio) => within(1.3, ratio) }));
  }

  const oldestMs = await receiveTimeAt(client, Order.OLDEST_FIRST);
  const newestMs = await receiveTimeAt(client, Order.NEWEST_FIRST);
  const middleMs = Math.floor((oldestMs + newestMs) / 2);
  const middle = {
    receiveTimeFrom: timestampFromMs(middleMs),
    receiveTimeUntil: timestampFromMs(middleMs + 1000),
  };
  for (const { text, order } of orders) {
    const find = (what: string, filter: ListQuery["filter"] & object, every: number, limit: number | undefined) => {
      const judge = limit !== undefined && { judge: (ratio: number) => atMost(limit, ratio) };
      return open(`${what}, ${text}`, { filter, order }, { matches: eventCount / every, ...judge });
    };
    const visitor = { kind: "visitor", id: rare.visitor.value };
    pages.push(
      await find("a name", { names: [rare.name.value] }, rare.name.every, 3),
      await find("an identity", { identity: visitor }, rare.visitor.every, 5),
      await find("an indexed property", { properties: equals("orderId", rare.orderId.value) }, rare.orderId.every, 5),
      await find("a second in the middle", middle, 1, 1.3),
      await find("before the oldest", { receiveTimeUntil: timestampFromMs(oldestMs) }, Number.POSITIVE_INFINITY, 1.3),
      await find(
        "behind the newest",
        { receiveTimeFrom: timestampFromMs(newestMs + 1) },
        Number.POSITIVE_INFINITY,
        1.3,
      ),
    );
  }
  return [...pages, await open("a property that is not indexed", { filter: unindexed }, { matches: 0 })];
}

const orders = [
  { text: "newest first", order: Order.NEWEST_FIRST },
  { text: "oldest first", order: Order.OLDEST_FIRST },
];

/** A filter that a scan has to serve. */
export const unindexed = { properties: equals("path", rare.path.value) };

function equals(property: string, text: string) {
  return { [property]: { kind: { case: "stringValue" as const, value: text } } };
}

interface OpenOptions extends Pick<Page, "to" | "judge"> {
  readonly pageToken?: string;
  /** How many events match, at least; unless all do. */
  readonly matches?: number;
}

/** Asks for a page once, to see that it holds what it should. */
async function openPage(
  client: BytesClient,
  what: string,
  query: ListQuery,
  { pageToken = "", matches = pageSize, ...rest }: OpenOptions = {},
): Promise<Page> {
  const request = encodeListRequest(query, pageSize, pageToken);
  const { eventCount } = readPage(await client.call("ListEvents", request));
  const expected = Math.min(pageSize, Math.floor(matches));
  if (eventCount < expected) throw new Error(`${what}: a page holds ${eventCount} events, and not ${expected}`);
  return { what, client, request, eventCount, costsUs: [], latenciesMs: [], ...rest };
}

/** When the first event of an order was received. */
async function receiveTimeAt(client: BytesClient, order: Order): Promise<number> {
  const page = await client.call("ListEvents", encodeListRequest({ order }, 1, ""));
  const [event] = fromBinary(ListEventsResponseSchema, page).events;
  if (event?.receiveTime === undefined) throw new Error("there are no events");
  return timestampMs(event.receiveTime);
}

async function measure({ client, request, costsUs, latenciesMs }: Page, subject: ReadSubject): Promise<void> {
  const took: number[] = [];
  const cpuBefore = subject.cpuUs();
  const endMs = performance.now() + roundMs;
  for (let startMs = performance.now(); startMs < endMs; ) {
    await client.call("ListEvents", request);
    const nowMs = performance.now();
    took.push(nowMs - startMs);
    startMs = nowMs;
  }
  costsUs.push((subject.cpuUs() - cpuBefore) / took.length);
  latenciesMs.push(quantile(took, 0.5));
}

function toFinding({ what, eventCount, to, judge, costsUs, latenciesMs }: Page): Finding {
  const cost = quantile(costsUs, 0.5).toFixed(0);
  const latency = quantile(latenciesMs, 0.5).toFixed(2);
  const ratios = to?.costsUs.map((ofOther, round) => (costsUs[round] ?? Number.NaN) / ofOther);
  const ratio = ratios && quantile(ratios, 0.5);
  return {
    what: `${what}${to === undefined ? "" : `, to ${to.what}`}`,
    figures: `${eventCount} events, ${cost} µs of CPU, ${latency} ms`,
    ...(ratio !== undefined && { ratio, ...judge?.(ratio) }),
  };
}
