import { quantile } from "./support/quantile.ts";
import { atMost, type MeasuredRow } from "./support/row.ts";
import type { Subject } from "./support/subject.ts";
import { createSupply } from "./support/supply.ts";
import { takeTrackRequest } from "./support/track-request.ts";
import { createUnaryClient } from "./support/unary-client.ts";

const rounds = 5;
/** Calls are due in bursts, as timers are no finer: that is harder than an even pace. */
const burstMs = 1;

/**
 * How long Track takes at a given pace, whether or not the calls before have been answered. From when a call was due:
 * what it waits for its turn counts.
 */
export async function measurePace(
  { grpcAddress }: Subject,
  key: string,
  perSecond: number,
  roundMs: number,
): Promise<MeasuredRow[]> {
  const client = await createUnaryClient(grpcAddress, key);
  const requests = createSupply(takeTrackRequest);
  const samples: { p50: number; p99: number }[] = [];
  try {
    for (let round = 0; round <= rounds; round++) {
      requests.refill();
      const tookMs = await runPace(perSecond, roundMs, () => client.call("Track", requests.take()));
      const [p50, p99] = [quantile(tookMs, 0.5), quantile(tookMs, 0.99)];
      process.stderr.write(
        `Track at ${Math.round(perSecond)} calls/s: p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms\n`,
      );
      if (round > 0) samples.push({ p50, p99 });
    }
  } finally {
    client.close();
  }
  const median = (of: "p50" | "p99") =>
    quantile(
      samples.map((sample) => sample[of]),
      0.5,
    );
  const ratio = quantile(
    samples.map(({ p50, p99 }) => p99 / p50),
    0.5,
  );
  const [p50, p99] = [median("p50"), median("p99")];
  const row = {
    work: `Track at half of its highest rate, ${Math.round(perSecond)} calls/s: p99`,
    ours: `${p99.toFixed(2)} ms`,
  };
  return [
    { ...row, against: "its p50", baseline: `${p50.toFixed(2)} ms`, figure: ratio, aim: atMost(4) },
    { ...row, against: "the clock, on a quiet machine", baseline: "", figure: p99, aim: atMost(10, "ms") },
  ];
}

/** Calls at this pace, and resolves with how long after it was due each was answered. */
async function runPace(perSecond: number, forMs: number, call: () => Promise<unknown>): Promise<number[]> {
  const tookMs: number[] = [];
  const calls: Promise<void>[] = [];
  const startMs = performance.now();
  const total = Math.floor((perSecond * forMs) / 1000);
  const perBurst = (perSecond * burstMs) / 1000;
  while (calls.length < total) {
    const bursts = Math.floor((performance.now() - startMs) / burstMs);
    const due = Math.min(total, Math.floor(bursts * perBurst));
    while (calls.length < due) {
      const dueMs = startMs + Math.ceil((calls.length + 1) / perBurst) * burstMs;
      const answered = call().then(() => void tookMs.push(performance.now() - dueMs));
      // Awaited below; until then a rejection has nobody.
      answered.catch(() => {});
      calls.push(answered);
    }
    await new Promise((resolve) => setTimeout(resolve, burstMs));
  }
  await Promise.all(calls);
  return tookMs;
}
