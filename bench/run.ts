import { parseArgs } from "node:util";
import { benchEverything, benchNewestPages } from "./list-events.ts";
import { measureMemory } from "./memory.ts";
import { benchSplitBulk } from "./split-bulk.ts";
import { type BenchContext, benchProject, memoryProject } from "./support/bench-context.ts";
import { runToEnd } from "./support/lifetime.ts";
import { startRedis } from "./support/redis-server.ts";
import { printResults, writeResults } from "./support/results.ts";
import type { Row } from "./support/row.ts";
import { startSubject } from "./support/subject.ts";
import { benchTrack } from "./track.ts";
import { benchLargeBatches, benchSmallBatches } from "./track-batch.ts";
import { benchTrackConnect } from "./track-connect.ts";

// The yardstick: Sluice on the durable profile, with quotas charged, against floors and peers that run in the same
// minutes on the same machine. The ratios are what counts.
//   node bench/run.ts [--seconds 2] [--only track,memory] [--out bench]
// The results are written only when everything has been measured, or where --out says so.
const runMaxMs = 10 * 60_000;
/** No bench begins later: the longest takes about a minute and a half. */
const lastStartMs = 8 * 60_000;

const benches: Record<string, (context: BenchContext) => Promise<Row[]>> = {
  track: benchTrack,
  connect: benchTrackConnect,
  batch100: benchSmallBatches,
  batch500: benchLargeBatches,
  split: benchSplitBulk,
  pages: benchNewestPages,
  everything: benchEverything,
  memory: measureMemory,
};

const { values: options } = parseArgs({
  options: { seconds: { type: "string", default: "2" }, only: { type: "string" }, out: { type: "string" } },
});
const roundMs = Number(options.seconds) * 1000;
// Longer rounds would not fit.
if (!(roundMs >= 50 && roundMs <= 2500)) throw new Error("--seconds must be from 0.05 to 2.5");
const chosen = options.only?.split(",") ?? Object.keys(benches);
const unknown = chosen.find((name) => benches[name] === undefined);
if (unknown !== undefined) throw new Error(`there is no bench ${unknown}, but ${Object.keys(benches).join(", ")}`);

const notes = [
  "Written by `npm run bench`. Everything of ours runs on the durable profile: fsync before every answer, quotas " +
    "charged, ids remembered, indexes by name and identity. Load, server, Redis and peers share the processors. " +
    `Medians of five rounds of ${roundMs / 1000} s in which all sides take turns; a ratio is the median of the rounds' ` +
    "own. Events are real ones of about 300 bytes.",
  "A pair is ours / baseline, and processor time is µs for one call or event: of the server (of a database, all its " +
    "processes), of Redis, and of the process that makes the load, which holds the work of a baseline without a server.",
  "What an event costs beside 10,000 to 10,000,000 others, and over 1 to 10,000 projects, takes longer: " +
    "`npm run bench:scale`.",
];

await runToEnd(runMaxMs, async () => {
  const redis = await startRedis();
  const projects = [benchProject, memoryProject].map((name) => [name, []] as const);
  const subject = await startSubject(new Map(projects), redis.socketPath);
  const commands = redis.connect();
  const rows: Row[] = [];
  for (const name of chosen) {
    const late = { work: name, against: "its baselines", skipped: `${lastStartMs / 60_000} minutes were over` };
    if (performance.now() > lastStartMs) rows.push(late);
    else rows.push(...((await benches[name]?.({ subject, redis, commands, roundMs })) ?? []));
  }
  commands.disconnect();
  await subject.stop();
  await redis.stop();
  const results = { name: "results", title: "Sluice against floors and peers", notes, rows };
  printResults(results);
  const folder = options.out ?? (options.only === undefined ? import.meta.dirname : undefined);
  if (folder !== undefined) await writeResults(folder, results);
});
