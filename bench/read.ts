import { statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { printIndexCost } from "./index-cost.ts";
import { benchGetEvent } from "./read-one.ts";
import { benchPages, type DataSetPair } from "./read-pages.ts";
import { benchTails, tailedProjects } from "./read-tails.ts";
import { benchWhileScanning, trackedProject } from "./read-while-scanning.ts";
import { measureRecordMemory } from "./record-memory.ts";
import { type DataSet, indexedProperties, realDataSet, tinyDataSet } from "./support/data-sets.ts";
import { type Finding, printFindings } from "./support/finding.ts";
import { runToEnd } from "./support/lifetime.ts";
import { loadEvents } from "./support/load-events.ts";
import { startReadSubject } from "./support/read-subject.ts";

// What reading costs, in one run on one machine, on the durable profile: the ratios are what counts. Takes about seven
// minutes, the half of them for ten million events; `node bench/read.ts 1000000` leaves out what has more than these.
const eventsMax = Number(process.argv[2] ?? Number.POSITIVE_INFINITY);
const runMaxMs = 10 * 60_000;
const loadMaxMs = 240_000;
/** What ten million events take, and as much again. */
const roomBytes = 8 * 2 ** 30;

const real: DataSetPair = { few: realDataSet("real-10k", 10_000), many: realDataSet("real-1m", 1_000_000) };
const tiny: DataSetPair = { few: tinyDataSet("tiny-10k", 10_000), many: tinyDataSet("tiny-10m", 10_000_000) };
const dataSets = [real, tiny].flatMap(({ few, many }) => [few, many]);

await runToEnd(runMaxMs, async () => {
  const subject = await startReadSubject(
    new Map([
      ...dataSets.map(({ name }) => [name, indexedProperties] as const),
      ...[trackedProject, ...tailedProjects].map((name) => [name, []] as const),
    ]),
  );
  const redis = subject.redis.connect();
  const loaded = new Set<DataSet>();
  const leftOut: Finding[] = [];
  for (const dataSet of dataSets) {
    const fault =
      findFault(dataSet) ?? ((await loadEvents(redis, dataSet, loadMaxMs)) ? undefined : "too slow to store");
    if (fault === undefined) loaded.add(dataSet);
    else leftOut.push({ what: `${dataSet.name} is left out`, figures: fault });
  }
  const pairs = [real, tiny].filter(({ few, many }) => loaded.has(few) && loaded.has(many));
  const findings = [...leftOut, ...(await benchPages(subject, pairs))];
  for (const { many } of pairs) findings.push(...(await benchGetEvent(subject, many)));
  findings.push(...(await benchTails(subject)));
  if (loaded.has(real.many)) {
    findings.push(...(await benchWhileScanning(subject, real.many)), ...(await measureRecordMemory(redis, real.many)));
  }
  redis.disconnect();
  printFindings(findings);
  await subject.stop();
  await printIndexCost([500, 100, 10]);
});

/** Why this machine cannot hold a data set. */
function findFault({ eventCount }: DataSet): string | undefined {
  if (eventCount > eventsMax) return `more than ${eventsMax} events`;
  if (eventCount <= real.many.eventCount) return undefined;
  if (process.availableMemory() < roomBytes) return "needs 8 GiB of free memory";
  const disk = statfsSync(tmpdir());
  return disk.bavail * disk.bsize < roomBytes ? `needs 8 GiB of free disk in ${tmpdir()}` : undefined;
}
