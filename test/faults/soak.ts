import { parseArgs } from "node:util";
import { killBoth, killRedis, killServer, pauseRedis } from "./crash-scenarios.ts";
import { diskFull, memoryFull } from "./full-scenarios.ts";
import { badNetwork, cuts, delays, swallowedReplies } from "./network-scenarios.ts";
import { tightQuota } from "./quota-scenario.ts";
import { type Report, runScenario } from "./run-scenario.ts";
import type { AnyScenario } from "./scenario.ts";
import { drawSeed } from "./seeded-random.ts";
import { createSoakSummary } from "./soak-summary.ts";

const scenarios: Readonly<Record<string, AnyScenario>> = {
  "kill-redis": killRedis,
  "kill-server": killServer,
  "kill-both": killBoth,
  "pause-redis": pauseRedis(5_000),
  network: badNetwork,
  "swallowed-replies": swallowedReplies,
  cuts,
  delays,
  "tight-quota": tightQuota,
  "memory-full": memoryFull,
  "disk-full": diskFull,
};

const usage = `Runs the fault scenarios again and again, each with a seed of its own, until the time is over.
Ends with exit code 1 and the seed at the first broken promise.

  npm run soak -- [options]

  --minutes <n>      how long, at least; default 20
  --seed <n>         the seed of the first run; each further one adds 1. Default: any
  --scenario <name>  only this one, which may be given more than once: ${Object.keys(scenarios).join(", ")}
  --help             prints this
`;

/** How long one scenario is held before the next one; the last one less, but long enough to show something. */
const [runMs, lastRunMs] = [20_000, 3_000];

interface SoakOptions {
  readonly minutes: number;
  readonly seed: number;
  readonly names: readonly string[];
}

process.exitCode = await main();

async function main(): Promise<number> {
  let options: SoakOptions | undefined;
  try {
    options = readOptions();
  } catch (error) {
    console.error(`soak: ${error instanceof Error ? error.message : error}\n\n${usage}`);
    return 2;
  }
  if (options === undefined) {
    console.log(usage);
    return 0;
  }
  return soak(options);
}

/** Undefined when only the usage is asked for. Throws with what is wrong. */
function readOptions(): SoakOptions | undefined {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "20" },
      seed: { type: "string", default: String(drawSeed()) },
      scenario: { type: "string", multiple: true, default: Object.keys(scenarios) },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const [minutes, seed] = [Number(values.minutes), Number(values.seed)];
  if (!(minutes > 0)) throw new Error("--minutes is not a number above 0");
  if (!Number.isSafeInteger(seed) || seed < 0) throw new Error("--seed is not a whole number");
  const stranger = values.scenario.find((name) => scenarios[name] === undefined);
  if (stranger !== undefined) throw new Error(`there is no scenario ${stranger}`);
  return { minutes, seed, names: values.scenario };
}

async function soak({ minutes, seed: firstSeed, names }: SoakOptions): Promise<number> {
  const stopping = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stopping.abort(new Error(signal)));
  const { signal } = stopping;
  const summary = createSoakSummary();
  const runnable = names.filter((name) => isRunnable(name));
  const endAt = performance.now() + minutes * 60_000;
  let exitCode = 0;

  for (let run = 0; performance.now() < endAt && !signal.aborted && runnable.length > 0 && exitCode === 0; run++) {
    const name = runnable[run % runnable.length] as string;
    const seed = (firstSeed + run) % 2 ** 32;
    const durationMs = Math.max(lastRunMs, Math.min(runMs, endAt - performance.now()));
    try {
      const report = await runScenario(scenarios[name] as AnyScenario, { seed, durationMs, signal });
      summary.add(name, report);
      exitCode = tell(name, report);
    } catch (error) {
      if (signal.aborted) break;
      console.error(`FAILED: --scenario ${name} --seed ${seed}:`, error);
      exitCode = 1;
    }
  }
  summary.print();
  if (runnable.length === 0) return 1;
  return signal.aborted && exitCode === 0 ? 130 : exitCode;
}

function isRunnable(name: string): boolean {
  const unmet = scenarios[name]?.unmet?.();
  if (unmet !== undefined) console.log(`SKIPPED ${name}: ${unmet}`);
  return unmet === undefined;
}

/** Prints what came of a run. Returns the exit code that it deserves. */
function tell(name: string, { seed, faults, offered, listed, answers, violations, shortfalls }: Report): number {
  const counts = `${faults} faults, ${offered} events, ${answers.unknown ?? 0} times unknown, ${listed} listed`;
  if (violations.length === 0 && shortfalls.length === 0) {
    console.log(`ok ${name} (seed ${seed}): ${counts}`);
    return 0;
  }
  console.error(`FAILED: --scenario ${name} --seed ${seed}: ${counts}`);
  for (const shortfall of shortfalls) console.error(`  it proves nothing: ${shortfall}`);
  for (const { kind, subject } of violations.slice(0, 50)) console.error(`  ${kind}: ${subject}`);
  if (violations.length > 50) console.error(`  and ${violations.length - 50} more`);
  return 1;
}
