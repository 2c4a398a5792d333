import { setTimeout as sleep } from "node:timers/promises";
import { Order } from "../../gen/sluice/v1/event_service_pb.ts";
import { waitUntil } from "../support/wait-until.ts";
import { checkReasons } from "./check-reasons.ts";
import { checkHistory, type Pass, type Violation } from "./checker.ts";
import { RecordedHistory } from "./history.ts";
import { type FaultWindow, findUnresolved, type HitTally, tallyHit } from "./hit-calls.ts";
import { listAll, runReader } from "./readers.ts";
import type { AnyScenario } from "./scenario.ts";
import { createSeededRandom } from "./seeded-random.ts";
import type { Stack } from "./stack.ts";
import { runWriters, withoutIds, writerNames } from "./writers.ts";

/** How long to do harm, and by which choices. */
export interface RunOptions {
  /** Decides what is sent, which faults come when, and where they hit; how processes interleave it cannot decide. */
  readonly seed: number;
  /** The faults go on for so long, and until there were enough. */
  readonly durationMs: number;
  /** Aborted to end early; the run then rejects with its reason, once all that it started has ended. */
  readonly signal?: AbortSignal;
}

/** What came of a run. */
export interface Report {
  readonly scenario: string;
  readonly seed: number;
  /** Empty: every promise was kept. */
  readonly violations: readonly Violation[];
  /** What did not happen, though it had to: then the run proves nothing. */
  readonly shortfalls: readonly string[];
  /** Faults that came to something while calls were under way. */
  readonly faults: number;
  /** What the calls were told that faults hit. */
  readonly hit: HitTally;
  readonly calls: number;
  readonly offered: number;
  readonly listed: number;
  /** Times that a reader paged through everything while it grew. */
  readonly passes: number;
  /** How often each answer was given. */
  readonly answers: Readonly<Record<string, number>>;
}

/**
 * Writes and reads while harm is done, restarts everything in good order, and compares what is there with what was told.
 * Rejects, naming the seed, when something does not recover by itself. All that it started has ended when it settles.
 */
export async function runScenario(scenario: AnyScenario, options: RunOptions): Promise<Report> {
  const { seed, signal } = options;
  let stack: Stack | undefined;
  try {
    signal?.throwIfAborted();
    stack = await scenario.start(createSeededRandom(seed).fork("stack"));
    return await runOn(stack, scenario, options);
  } catch (cause) {
    if (signal?.aborted) throw signal.reason;
    const text = cause instanceof Error ? cause.message : String(cause);
    const log = stack?.sluice.log.slice(-logTailLength) ?? "";
    throw new Error(`${scenario.name}, FAULT_SEED=${seed}: ${text}\nThe server's log ends with:\n${log}`, { cause });
  } finally {
    await stack?.remove();
  }
}

const logTailLength = 3_000;

async function runOn(stack: Stack, scenario: AnyScenario, options: RunOptions): Promise<Report> {
  const random = createSeededRandom(options.seed);
  const history = new RecordedHistory();
  const stopping = new AbortController();
  const deps = { clients: () => stack.clients(), history, stop: stopping.signal };
  const writing = runWriters({ ...deps, random: random.fork("writers") });
  const reading = runReader({ ...deps, random: random.fork("reader") });
  const settled = Promise.all([writing, reading]);
  // Whatever fails first is what the caller is told.
  settled.catch(() => {});

  let faults: readonly FaultWindow[] = [];
  try {
    faults = await doHarm(stack, scenario, history, options);
    await scenario.heal?.(stack);
    await untilAllWrite(history);
  } finally {
    stopping.abort();
    await settled;
  }
  const [, passes] = await settled;
  const missing = scenario.missing?.({ stack, history }) ?? [];
  const hit = tallyHit(history, faults);
  if (!scenario.isServerKilled) missing.push(...findUnresolved(hit, scenario.resolvedMin ?? 0));

  await stack.restart();
  const listing = await readListing(stack, passes);
  const others = (await scenario.verify?.({ stack, listed: listing.oldestFirst })) ?? [];
  return {
    scenario: scenario.name,
    seed: options.seed,
    violations: [
      ...checkHistory(history, listing),
      ...checkReasons(history, scenario.isServerKilled ?? false),
      ...others,
    ],
    shortfalls: [...missing, ...findShortfalls(history, listing.passes)],
    faults: faults.length,
    hit,
    calls: history.calls.length,
    offered: history.offered.size,
    listed: listing.oldestFirst.length,
    passes: passes.filter(({ isComplete }) => isComplete).length,
    answers: Object.fromEntries(history.tally),
  };
}

/** Resolves with the faults that came to something. After each, events must be accepted again. */
async function doHarm(
  stack: Stack,
  scenario: AnyScenario,
  history: RecordedHistory,
  { seed, durationMs, signal }: RunOptions,
): Promise<FaultWindow[]> {
  const random = createSeededRandom(seed).fork("faults");
  const endAt = performance.now() + durationMs;
  const deadline = endAt + 20_000;
  const faults: FaultWindow[] = [];
  for (let turn = 0; performance.now() < endAt || faults.length < scenario.faultsMin; turn++) {
    if (performance.now() > deadline)
      throw new Error(`only ${faults.length} of ${scenario.faultsMin} faults took effect`);
    await sleep(random.between(...scenario.betweenMs), undefined, signal && { signal });
    const isBusy = history.openCallCount > 0;
    const fromMs = performance.now();
    const hasHit = await scenario.fault({ stack, history, random, turn });
    if (isBusy && hasHit) faults.push({ fromMs, toMs: performance.now() });
    const before = history.count("accepted");
    await waitUntil(() => signal?.aborted || history.count("accepted") >= before + 100, 15_000);
    signal?.throwIfAborted();
  }
  return faults;
}

/** Resolves when each writer was told again that something is stored: nothing hangs. */
async function untilAllWrite({ calls }: RecordedHistory): Promise<void> {
  const begin = calls.length;
  await waitUntil(() => {
    const writers = new Set<string>();
    for (const { writer, answer } of calls.slice(begin)) {
      if (answer?.answers.some((told) => !("reason" in told))) writers.add(writer);
    }
    return writers.size === writerNames.length;
  }, 20_000);
}

async function readListing(stack: Stack, passes: readonly Pass[]) {
  const { grpc, connectHttp1 } = stack.clients();
  const [oldestFirst, newestFirst] = await Promise.all([
    listAll(grpc, Order.OLDEST_FIRST, 1000),
    listAll(connectHttp1, Order.NEWEST_FIRST, 777),
  ]);
  return { oldestFirst, newestFirst, passes };
}

function findShortfalls(history: RecordedHistory, passes: readonly Pass[]): string[] {
  const shortfalls: string[] = [];
  const need = (what: string, least: number, count: number) => {
    if (count < least) shortfalls.push(`${what}: ${count} instead of ${least}`);
  };
  need("accepted events", 500, history.count("accepted"));
  need("duplicates", 10, history.count("duplicate"));
  need("accepted events without an id", 50, countStored(history, withoutIds));
  need("rejected events", 1, history.count("refused EVENT_INVALID"));
  need("passes of the reader", 1, passes.length);
  return shortfalls;
}

/** Events that these writers were told are new. */
function countStored({ calls }: RecordedHistory, writers: ReadonlySet<string>): number {
  const answers = calls.flatMap(({ writer, answer }) => (writers.has(writer) ? (answer?.answers ?? []) : []));
  return answers.filter(({ kind }) => kind === "accepted").length;
}
