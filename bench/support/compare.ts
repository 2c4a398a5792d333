import type { MeasuredProcess } from "./process.ts";
import { quantile } from "./quantile.ts";

/** One side of a comparison. */
export interface Contender {
  readonly name: string;
  /** The process whose processor time is counted. */
  readonly server?: MeasuredProcess;
  /** Makes what a run of this length needs, before its time is taken. */
  prepare?(forMs: number): void;
  /** Works for about this long; resolves with how many units were done. */
  run(forMs: number): Promise<number>;
}

/** What was measured: medians over the rounds. */
export interface Comparison {
  readonly work: string;
  readonly unit: string;
  readonly oursPerSecond: number;
  readonly baselinePerSecond: number;
  /** Median of the rounds' own ratios: both sides of a round ran in the same seconds. */
  readonly ratio: number;
  readonly oursCpuUs: number | undefined;
  readonly baselineCpuUs: number | undefined;
}

const rounds = 5;

/** Runs both by turns, so that a noisy machine disturbs them alike. */
export async function compare(
  work: string,
  unit: string,
  ours: Contender,
  baseline: Contender,
  roundMs = 2000,
): Promise<Comparison> {
  for (const contender of [ours, baseline]) {
    contender.prepare?.(roundMs);
    await contender.run(roundMs);
  }
  const samples = [];
  for (let round = 0; round < rounds; round++) {
    const pair = { ours: await measure(ours, roundMs), baseline: await measure(baseline, roundMs) };
    samples.push(pair);
    process.stderr.write(
      `${work}, round ${round + 1} of ${rounds}: ${Math.round(pair.ours.perSecond)} against ` +
        `${Math.round(pair.baseline.perSecond)} ${unit}/s\n`,
    );
  }
  return {
    work: `${work} against ${baseline.name}`,
    unit,
    oursPerSecond: median(samples.map(({ ours }) => ours.perSecond)),
    baselinePerSecond: median(samples.map(({ baseline }) => baseline.perSecond)),
    ratio: median(samples.map(({ ours, baseline }) => ours.perSecond / baseline.perSecond)),
    oursCpuUs: ours.server && median(samples.map(({ ours }) => ours.cpuUs)),
    baselineCpuUs: baseline.server && median(samples.map(({ baseline }) => baseline.cpuUs)),
  };
}

async function measure(contender: Contender, roundMs: number): Promise<{ perSecond: number; cpuUs: number }> {
  contender.prepare?.(roundMs);
  const cpuBefore = contender.server?.cpuUs() ?? 0;
  const start = performance.now();
  const done = await contender.run(roundMs);
  const seconds = (performance.now() - start) / 1000;
  return { perSecond: done / seconds, cpuUs: ((contender.server?.cpuUs() ?? 0) - cpuBefore) / done };
}

function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Works with several callers at a time until the time is over; each turn says how many units it did. */
export async function runCallers(callers: number, forMs: number, turn: () => Promise<number>): Promise<number> {
  const endMs = performance.now() + forMs;
  let done = 0;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (performance.now() < endMs) {
        const units = await turn();
        done += units;
      }
    }),
  );
  return done;
}
