import type { MeasuredProcess } from "./process.ts";
import { quantile } from "./quantile.ts";
import type { Run } from "./run-callers.ts";

/** One side of a comparison. */
export interface Contender {
  readonly name: string;
  /** The processes whose processor time is counted. */
  readonly server?: Pick<MeasuredProcess, "cpuUs">;
  readonly redis?: Pick<MeasuredProcess, "cpuUs">;
  /** Makes what the next run needs, before its time is taken. */
  prepare?(): void;
  /** Works for about this long. */
  run(forMs: number): Promise<Run>;
  /** Rejects unless as many units are there as were counted in all of its runs. */
  verify?(done: number): Promise<void>;
}

/** A baseline that this machine cannot run. */
export interface Absent {
  readonly name: string;
  readonly isMissing: string;
}

/** What one side did: medians over the rounds. Processor times are µs for one unit, NaN where none is counted. */
export interface Figures {
  readonly perSecond: number;
  readonly serverUs: number;
  readonly redisUs: number;
  /** Of this process, which makes the load; a baseline without a server has its work in it. */
  readonly clientUs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** What was measured, with one baseline. */
export interface Comparison {
  readonly work: string;
  readonly unit: string;
  readonly against: string;
  readonly ours: Figures;
  readonly baseline: Figures;
  /** Medians of the rounds' own ratios: both sides of a round ran in the same seconds. */
  readonly ratio: number;
  readonly serverUsRatio: number;
}

/** What is compared: ours with each of the baselines. */
export interface Work {
  readonly work: string;
  /** What is counted, in the plural. */
  readonly unit: string;
  readonly ours: Contender;
  readonly baselines: readonly Contender[];
}

const rounds = 5;
/** Until the code of all sides is compiled, which takes a server some seconds. */
const warmRounds = 3;

/** How often each side runs. */
export const runCount = warmRounds + rounds;

/**
 * Runs all by turns, so that a noisy machine disturbs them alike; the first runs of each warm up, and do not count.
 * Resolves with one comparison for each baseline. Rejects when one of them did not do what it counted.
 */
export async function compare({ work, unit, ours, baselines }: Work, roundMs: number): Promise<Comparison[]> {
  const sides = [ours, ...baselines].map((contender) => ({ contender, samples: [] as Figures[], done: 0 }));
  for (let round = 1 - warmRounds; round <= rounds; round++) {
    for (const side of sides) {
      const { figures, done } = await measure(side.contender, roundMs);
      side.done += done;
      if (round > 0) side.samples.push(figures);
    }
    const rates = sides.map(({ samples }) => Math.round(samples.at(-1)?.perSecond ?? 0)).join(" against ");
    process.stderr.write(`${work}: ${round <= 0 ? "warm" : `round ${round} of ${rounds}: ${rates} ${unit}/s`}\n`);
  }
  for (const { contender, done } of sides) await contender.verify?.(done);
  const [first, ...others] = sides;
  if (first === undefined) return [];
  return others.map(({ contender, samples }) => {
    const ratioOf = (figure: keyof Figures) =>
      quantile(
        samples.map((sample, round) => (first.samples[round]?.[figure] ?? Number.NaN) / sample[figure]),
        0.5,
      );
    return {
      work,
      unit,
      against: contender.name,
      ours: toMedians(first.samples),
      baseline: toMedians(samples),
      ratio: ratioOf("perSecond"),
      serverUsRatio: ratioOf("serverUs"),
    };
  });
}

async function measure(contender: Contender, roundMs: number): Promise<{ figures: Figures; done: number }> {
  contender.prepare?.();
  const readCpu = () => ({
    server: contender.server?.cpuUs() ?? Number.NaN,
    redis: contender.redis?.cpuUs() ?? Number.NaN,
  });
  const before = readCpu();
  const clientBefore = process.cpuUsage();
  const startMs = performance.now();
  const { done, tookMs } = await contender.run(roundMs);
  const seconds = (performance.now() - startMs) / 1000;
  const client = process.cpuUsage(clientBefore);
  const after = readCpu();
  if (done === 0) throw new Error(`${contender.name} did nothing`);
  const figures = {
    perSecond: done / seconds,
    serverUs: (after.server - before.server) / done,
    redisUs: (after.redis - before.redis) / done,
    clientUs: (client.user + client.system) / done,
    p50Ms: quantile(tookMs, 0.5),
    p99Ms: quantile(tookMs, 0.99),
  };
  return { figures, done };
}

function toMedians(samples: readonly Figures[]): Figures {
  const median = (figure: keyof Figures) =>
    quantile(
      samples.map((sample) => sample[figure]),
      0.5,
    );
  return {
    perSecond: median("perSecond"),
    serverUs: median("serverUs"),
    redisUs: median("redisUs"),
    clientUs: median("clientUs"),
    p50Ms: median("p50Ms"),
    p99Ms: median("p99Ms"),
  };
}
