import { measureIdMemory } from "./id-memory.ts";
import { benchListEvents } from "./list-events.ts";
import { benchSplitBulk } from "./split-bulk.ts";
import type { Comparison } from "./support/compare.ts";
import { startSubject } from "./support/subject.ts";
import { benchTrack } from "./track.ts";
import { benchTrackBatch } from "./track-batch.ts";

// Everything in one run on one machine, on the durable profile: the ratios are what counts. Takes about two and a half minutes.
const subject = await startSubject();
try {
  const comparisons = [];
  // TrackBatch stores the events that ListEvents then pages through.
  for (const bench of [benchTrack, benchTrackBatch, benchSplitBulk, benchListEvents])
    comparisons.push(await bench(subject));
  const idBytes = await measureIdMemory(subject);
  console.table(Object.fromEntries(comparisons.map((comparison) => [comparison.work, toRow(comparison)])));
  console.log(`an id takes ${idBytes.toFixed(1)} bytes of Redis' memory, of a million in one generation`);
} finally {
  await subject.stop();
}

function toRow(comparison: Comparison) {
  return {
    unit: comparison.unit,
    "ours/s": Math.round(comparison.oursPerSecond),
    "baseline/s": Math.round(comparison.baselinePerSecond),
    ratio: comparison.ratio.toFixed(2),
    "our CPU µs": comparison.oursCpuUs?.toFixed(1) ?? "",
    "baseline CPU µs": comparison.baselineCpuUs?.toFixed(1) ?? "",
  };
}
