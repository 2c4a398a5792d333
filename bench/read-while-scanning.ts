import { unindexed } from "./read-pages.ts";
import type { DataSet } from "./support/data-sets.ts";
import type { Finding } from "./support/finding.ts";
import { type BytesClient, createBytesClient } from "./support/grpc-client.ts";
import { encodeListRequest, readPage } from "./support/list-page.ts";
import { quantile } from "./support/quantile.ts";
import type { ReadSubject } from "./support/read-subject.ts";
import { runCallers } from "./support/run-callers.ts";
import { findSlowCommands } from "./support/slow-commands.ts";
import { keyOf } from "./support/subject.ts";
import { takeTrackRequest } from "./support/track-request.ts";

/** The project that is tracked to. */
export const trackedProject = "tracked";

const callers = 16;
const scanners = 10;
const rounds = 3;
const roundMs = 2000;

/** How long Track takes by itself, and while ten clients read through a project for what no index finds. */
export async function benchWhileScanning(subject: ReadSubject, { name }: DataSet): Promise<Finding[]> {
  const tracker = createBytesClient(subject.grpcAddress, keyOf(trackedProject));
  const clients = Array.from({ length: scanners }, () => createBytesClient(subject.grpcAddress, keyOf(name)));
  const redis = subject.redis.connect();
  const alone: number[] = [];
  const beside: number[] = [];
  let scans = 0;
  try {
    await track(tracker);
    await redis.slowlog("RESET");
    for (let round = 0; round < rounds; round++) {
      process.stderr.write(`Track while ${scanners} clients scan: round ${round + 1} of ${rounds}\n`);
      alone.push(...(await track(tracker)));
      const end = new AbortController();
      const scanning = Promise.all(clients.map((client) => scan(client, end.signal)));
      beside.push(...(await track(tracker)));
      end.abort();
      for (const count of await scanning) scans += count;
    }
    const scanned = `${Math.round(scans / ((rounds * roundMs) / 1000))} pages/s`;
    return [
      { what: `Track, ${callers} callers`, figures: describe(alone) },
      {
        what: `Track, ${callers} callers, while ${scanners} clients scan ${name} (${scanned}): p99, to the same without`,
        figures: describe(beside),
        ratio: quantile(beside, 0.99) / quantile(alone, 0.99),
      },
      await findSlowCommands(redis, `with Track and ${scanners} clients that scan`),
    ];
  } finally {
    for (const client of [tracker, ...clients]) client.close();
    redis.disconnect();
  }
}

/** How long each call took, in ms. */
async function track(client: BytesClient): Promise<readonly number[]> {
  const requests = Array.from({ length: roundMs * 10 }, takeTrackRequest);
  const { tookMs } = await runCallers(callers, roundMs, async () => {
    await client.call("Track", requests.pop() ?? takeTrackRequest());
    return 1;
  });
  return tookMs;
}

/** Reads page after page, from the newest on again at the end. Resolves with how many. */
async function scan(client: BytesClient, signal: AbortSignal): Promise<number> {
  let pageToken = "";
  let pages = 0;
  for (; !signal.aborted; pages++) {
    const request = encodeListRequest({ filter: unindexed }, 100, pageToken);
    pageToken = readPage(await client.call("ListEvents", request)).nextPageToken;
  }
  return pages;
}

function describe(tookMs: readonly number[]): string {
  const perSecond = Math.round(tookMs.length / ((rounds * roundMs) / 1000));
  return `p50 ${ms(quantile(tookMs, 0.5))}, p99 ${ms(quantile(tookMs, 0.99))}, ${perSecond} calls/s`;
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`;
}
