import { createAppendScript, floorKeys } from "./floors/append-script.ts";
import { startJetStream } from "./peers/jetstream.ts";
import { startPostgresInserts } from "./peers/postgres-inserts.ts";
import { sortOut } from "./support/absent.ts";
import { createBatchContender } from "./support/batch-contender.ts";
import type { BenchContext } from "./support/bench-context.ts";
import { compare } from "./support/compare.ts";
import { deleteKeys } from "./support/freed-memory.ts";
import { atLeast, type Row, toRateRow, toSkippedRow } from "./support/row.ts";

const small = 100;
const large = 500;

/** TrackBatch against its own append script, with as many events a call. */
export async function benchSmallBatches(context: BenchContext): Promise<Row[]> {
  const ours = await createBatchContender(context, small);
  try {
    const baselines = [await createAppendScript(context.redis, context.commands, small)];
    const work = `TrackBatch, gRPC, ${small} events a message`;
    const comparisons = await compare({ work, unit: "events", ours, baselines }, context.roundMs);
    return comparisons.map((comparison) => toRateRow(comparison, atLeast(0.8)));
  } finally {
    ours.close();
    await deleteKeys(context.commands, floorKeys);
  }
}

/** TrackBatch against what takes events in bulk elsewhere. */
export async function benchLargeBatches(context: BenchContext): Promise<Row[]> {
  const work = `TrackBatch, gRPC, ${large} events a message`;
  const streams = sortOut([await startJetStream("default"), await startJetStream("always")]);
  const postgres = sortOut([await startPostgresInserts(large, 4)]);
  const peers = [...streams.present, ...postgres.present];
  const ours = await createBatchContender(context, large);
  try {
    const comparisons = await compare({ work, unit: "events", ours, baselines: peers }, context.roundMs);
    const toStreams = comparisons.slice(0, streams.present.length);
    const toPostgres = comparisons.slice(streams.present.length);
    return [
      ...toStreams.map((comparison) => toRateRow(comparison, atLeast(3))),
      ...toPostgres.map((comparison) => toRateRow(comparison, atLeast(1))),
      ...[...streams.absent, ...postgres.absent].map((absent) => toSkippedRow(work, absent)),
    ];
  } finally {
    ours.close();
    for (const peer of peers) await peer.stop();
  }
}
