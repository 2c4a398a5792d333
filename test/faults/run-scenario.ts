import { setTimeout as sleep } from "node:timers/promises";
import type { Event } from "../../gen/sluice/v1/event_pb.ts";
import { Order } from "../../gen/sluice/v1/event_service_pb.ts";
import { waitUntil } from "../support/wait-until.ts";
import { checkReasons } from "./check-reasons.ts";
import { checkCuts, checkTail } from "./check-tail.ts";
import { checkHistory, type Listing, type Pass, type Violation } from "./checker.ts";
import { checkFound, type Found, sift } from "./found-events.ts";
import { RecordedHistory } from "./history.ts";
import { type FaultWindow, findUnresolved, type HitTally, tallyHit } from "./hit-calls.ts";
import { noAnswer, offerByTrack } from "./offer.ts";
import { listPages, runReader, toListed } from "./readers.ts";
import { createSampleEvents, digestEvent, markOf } from "./sample-events.ts";
import type { AnyScenario } from "./scenario.ts";
import { createSeededRandom } from "./seeded-random.ts";
import type { Stack } from "./stack.ts";
import { startTail, type Tail } from "./tail.ts";
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
  /** Times that the tail went on behind the last cursor that it was told. */
  readonly resumed: number;
  /** Filters by which events were looked for in the end. */
  readonly sieves: number;
  /** How often each answer was given. */
  readonly answers: Readonly<Record<string, number>>;
}

/**
 * Writes, reads and tails while harm is done, restarts everything in good order, and compares what is there with what was
 * told, given and found.
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
  const tail = startTail({ clients: () => stack.clients(), random: createSeededRandom(options.seed).fork("tail") });
  try {
    return await runAlongside(tail, stack, scenario, options);
  } finally {
    await tail.stop();
  }
}

async function runAlongside(tail: Tail, stack: Stack, scenario: AnyScenario, options: RunOptions): Promise<Report> {
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

  tail.settle();
  const ofTail = await findLag(tail, await readNewest(stack), "before the restart");
  ofTail.push(...checkCuts(tail, scenario.isServerKilled ? [noAnswer] : []));

  await stack.restart();
  await scenario.heal?.(stack);
  // What is given before it was given by then, and what comes again, too.
  await storeLast(stack, history);
  const there = await listPages(stack.clients().grpc, { order: Order.OLDEST_FIRST, pageSize: 1000 });
  const listing = await readListing(stack, there, passes);
  ofTail.push(...(await findLag(tail, listing.oldestFirst.at(-1)?.cursor, "after the restart")));
  await tail.stop();
  const findings = await sift(there, { clients: stack.clients(), random: random.fork("sieves") });
  const others = (await scenario.verify?.({ stack, listed: listing.oldestFirst })) ?? [];
  return {
    scenario: scenario.name,
    seed: options.seed,
    violations: [
      ...checkHistory(history, listing),
      ...checkReasons(history, scenario.isServerKilled ?? false),
      ...ofTail,
      ...checkTail(tail.given, listing.oldestFirst),
      ...findings.flatMap(checkFound),
      ...others,
    ],
    shortfalls: [...missing, ...findShortfalls(history, { passes, findings, resumed: tail.resumedCount() })],
    faults: faults.length,
    hit,
    calls: history.calls.length,
    offered: history.offered.size,
    listed: listing.oldestFirst.length,
    passes: passes.filter(({ isComplete }) => isComplete).length,
    resumed: tail.resumedCount(),
    sieves: findings.length,
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
  // Whom a fault hits is chance: one more when none of them was stored.
  const isEnough = () =>
    faults.length >= scenario.faultsMin && tallyHit(history, faults).resolved >= (scenario.resolvedMin ?? 0);
  for (let turn = 0; performance.now() < endAt || !isEnough(); turn++) {
    if (faults.length >= scenario.faultsMin && performance.now() > deadline) break;
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

async function readListing(stack: Stack, there: readonly Event[], passes: readonly Pass[]): Promise<Listing> {
  const newest = await listPages(stack.clients().connectHttp1, { order: Order.NEWEST_FIRST, pageSize: 777 });
  return { oldestFirst: there.map(toListed), newestFirst: newest.map(toListed), passes };
}

async function readNewest(stack: Stack): Promise<string | undefined> {
  const { events } = await stack.clients().grpc.listEvents({ pageSize: 1 });
  return events[0]?.cursor;
}

/** How long a tail may take to come to the end, once nothing hinders it: a link whose other end is mute is given up after 7 s. */
const lagMs = 20_000;

/** Waits for the tail to give the event at a cursor: nothing is behind it. */
async function findLag(tail: Tail, cursor: string | undefined, when: string): Promise<Violation[]> {
  const isThere = await waitUntil(() => cursor === undefined || tail.hasGiven(cursor), lagMs).catch(() => false);
  return isThere ? [] : [{ kind: "tail behind", subject: `${tail.given.length} events given ${when}` }];
}

/** Stores one more event, behind all others. */
async function storeLast(stack: Stack, history: RecordedHistory): Promise<void> {
  const event = createSampleEvents("last").make();
  const offered = [{ mark: markOf(event), digest: digestEvent(event) }];
  await waitUntil(async () => {
    const offer = () => offerByTrack(stack.clients().grpc, [event], 10_000);
    const [told] = await history.record("last", offered, offer, { timeoutMs: 10_000 });
    return told !== undefined && !("reason" in told);
  });
}

/** What there was to see, beside the history. */
interface Seen {
  readonly passes: readonly Pass[];
  readonly findings: readonly Found[];
  readonly resumed: number;
}

function findShortfalls(history: RecordedHistory, { passes, findings, resumed }: Seen): string[] {
  const shortfalls: string[] = [];
  const need = (what: string, least: number, count: number) => {
    if (count < least) shortfalls.push(`${what}: ${count} instead of ${least}`);
  };
  need("accepted events", 500, history.count("accepted"));
  need("duplicates", 10, history.count("duplicate"));
  need("accepted events without an id", 50, countStored(history, withoutIds));
  need("rejected events", 1, history.count("refused EVENT_INVALID"));
  need("passes of the reader", 1, passes.length);
  need("resumptions of the tail", 2, resumed);
  need("filters that let something through", 10, findings.filter(({ expected }) => expected.length > 0).length);
  return shortfalls;
}

/** Events that these writers were told are new. */
function countStored({ calls }: RecordedHistory, writers: ReadonlySet<string>): number {
  const answers = calls.flatMap(({ writer, answer }) => (writers.has(writer) ? (answer?.answers ?? []) : []));
  return answers.filter(({ kind }) => kind === "accepted").length;
}
