import { spawnSync } from "node:child_process";
import { parseCursor } from "../../src/domain/cursor.ts";
import { projectKeys } from "../../src/redis/keys.ts";
import { SluiceProcess } from "../support/sluice-process.ts";
import { createEventClients } from "./event-clients.ts";
import { provePrefixes } from "./fsync/log-prefixes.ts";
import { judgeReplyOrder, type ReplyOrder } from "./fsync/reply-order.ts";
import { parseTrace } from "./fsync/system-calls.ts";
import { startTracedRedis, type TracedRedis } from "./fsync/traced-redis.ts";
import { RecordedHistory } from "./history.ts";
import { type Offer, offerByTrack, offerByTrackBatch, offerByTrackMany } from "./offer.ts";
import { createSampleEvents, digestEvent, type SampleEvents } from "./sample-events.ts";
import { createSeededRandom, drawSeed } from "./seeded-random.ts";

/** What a proof has to have seen: with less it would prove nothing. */
const least = { replies: 100, prefixes: 300 };

process.exitCode = await main();

/** Proves that what was acknowledged had been brought to disk, and that a log which ends anywhere is a sound one. */
async function main(): Promise<number> {
  if (spawnSync("strace", ["-V"]).error !== undefined) {
    console.error("prove:fsync needs strace: apt-get install strace");
    return 1;
  }
  const seed = drawSeed();
  console.log(`seed ${seed}`);
  const isDurable = await proveDurable(seed);
  const isSensitive = await proveSensitive(seed);
  return isDurable && isSensitive ? 0 : 1;
}

/** As Sluice configures its Redis: each reply comes after its fsync, and the log can be cut anywhere. */
async function proveDurable(seed: number): Promise<boolean> {
  const redis = await startTracedRedis("always");
  try {
    const { order, acknowledged } = await trace(redis, seed);
    const isOrdered = tellOrder("appendfsync always", order) && order.violations.length === 0;
    const random = createSeededRandom(seed).fork("prefixes");
    const { prefixCount, transactionCount, violations } = await provePrefixes({
      logFolder: redis.logFolder,
      acknowledged,
      keys: projectKeys("dev"),
      fractions: Array.from({ length: 100 }, random.fraction),
    });
    console.log(
      `the log cut off: ${prefixCount} beginnings loaded, of a log of ${transactionCount} transactions with ` +
        `${acknowledged.length} acknowledged events; ${violations.length} violations`,
    );
    for (const violation of violations.slice(0, 20)) console.error(`  ${violation}`);
    return isOrdered && violations.length === 0 && prefixCount >= least.prefixes;
  } finally {
    redis.remove();
  }
}

/** The same proof has to fail for a Redis that syncs later, or it could not fail at all. */
async function proveSensitive(seed: number): Promise<boolean> {
  const redis = await startTracedRedis("everysec");
  try {
    const { order } = await trace(redis, seed);
    const isJudged = tellOrder("appendfsync everysec, which must be found out", order);
    if (order.violations.length === 0) console.error("  it was not: the proof above is worth nothing");
    return isJudged && order.violations.length > 0;
  } finally {
    redis.remove();
  }
}

/** Writes to a Redis through Sluice, ends both, and judges what was recorded. */
async function trace(redis: TracedRedis, seed: number) {
  const sluice = new SluiceProcess({ SLUICE_REDIS_URL: redis.socketPath });
  const history = new RecordedHistory();
  let text: string;
  try {
    await sluice.start();
    await write(sluice, history, seed);
  } finally {
    await sluice.remove();
    text = await redis.end();
  }
  return { order: judgeReplyOrder(parseTrace(text)), acknowledged: findAcknowledged(history) };
}

/** Calls of each kind, several at once, then single events one by one: small transactions at the log's end. */
async function write(sluice: SluiceProcess, history: RecordedHistory, seed: number): Promise<void> {
  const { grpc } = createEventClients(sluice);
  const random = createSeededRandom(seed).fork("writes");
  const offers = [offerByTrack, offerByTrackMany, offerByTrackBatch(2)];
  const timeoutMs = 10_000;

  async function offer(writer: string, samples: SampleEvents, by: Offer): Promise<void> {
    const events = Array.from({ length: by === offerByTrack ? 1 : random.between(1, 6) }, samples.make);
    const offered = events.map((event) => ({ mark: event.id, digest: digestEvent(event) }));
    const answers = await history.record(writer, offered, () => by(grpc, events, timeoutMs), { timeoutMs });
    if (answers.some(({ kind }) => kind !== "accepted"))
      throw new Error(`not all was stored: ${JSON.stringify(answers)}`);
  }

  async function run(writer: string, times: number, choices: readonly Offer[]): Promise<void> {
    const samples = createSampleEvents(writer);
    for (let i = 0; i < times; i++) await offer(writer, samples, random.pick(choices));
  }

  await Promise.all(["a", "b", "c", "d"].map((writer) => run(writer, 100, offers)));
  await run("single", 20, [offerByTrack]);
}

function findAcknowledged({ calls }: RecordedHistory): string[] {
  const positions = calls
    .flatMap(({ answer }) => answer?.answers ?? [])
    .map((told) => ("cursor" in told && told.cursor !== undefined ? parseCursor(told.cursor) : undefined));
  return positions.filter((position) => position !== undefined).map(({ ms, seq }) => `${ms}-${seq}`);
}

/** Prints what was found. Returns whether it is enough to judge by. */
function tellOrder(title: string, { replyCount, entryCount, syncCount, violations }: ReplyOrder): boolean {
  console.log(
    `${title}: ${replyCount} replies checked, naming ${entryCount} entries; ${syncCount} syncs of the log; ` +
      `${violations.length} replies too early`,
  );
  for (const violation of violations.slice(0, 3)) console.log(`  such as: ${violation}`);
  if (replyCount >= least.replies && syncCount > 0) return true;
  console.error("  too few to prove anything");
  return false;
}
