import { parseArgs } from "node:util";
import { benchProjects, turnProjects } from "./scale-projects.ts";
import { benchStored, filledProjects } from "./scale-stored.ts";
import { runToEnd } from "./support/lifetime.ts";
import { startReadSubject } from "./support/read-subject.ts";
import { printResults, writeResults } from "./support/results.ts";

// What an event of TrackBatch costs Sluice and Redis, by how many events are stored, and by how many projects take
// turns.
//   node bench/scale.ts [--events 10000000] [--out bench]
// Fewer events leave out what has more; then nothing is written unless --out says where.
const runMaxMs = 15 * 60_000;
const eventsDefault = 10_000_000;

const { values: options } = parseArgs({ options: { events: { type: "string" }, out: { type: "string" } } });
const eventsMax = Number(options.events ?? eventsDefault);

const notes = [
  "Written by `npm run bench:scale`. The cost is processor time of Sluice and Redis together, µs for one event; ours has " +
    "more stored, or more projects, than the baseline. The profile is that of `npm run bench`.",
];

await runToEnd(runMaxMs, async () => {
  const projects = new Map([...filledProjects, ...turnProjects].map((name) => [name, []] as const));
  const subject = await startReadSubject(projects);
  const redis = subject.redis.connect();
  const rows = [...(await benchProjects(subject)), ...(await benchStored(subject, redis, eventsMax))];
  redis.disconnect();
  await subject.stop();
  const results = { name: "scale", title: "What an event costs Sluice at scale", notes, rows };
  printResults(results);
  const folder = options.out ?? (options.events === undefined ? import.meta.dirname : undefined);
  if (folder !== undefined) await writeResults(folder, results);
});
