import type { Redis } from "ioredis";
import type { EventToAppend } from "../src/domain/ports.ts";
import { type Project, settingDefaults } from "../src/domain/project.ts";
import { encodeAppendCall, loadAppendScript, segmentEventsDefault } from "../src/redis/append-events.ts";
import { planIndexes } from "../src/redis/index-plan.ts";
import { parseInfo } from "../src/redis/redis-info.ts";
import { quantile } from "./support/quantile.ts";
import { takeEncodedEvents } from "./support/real-events.ts";
import { startRedis } from "./support/redis-server.ts";

/** What appending events costs Redis, for one event. */
interface WriteCost {
  /** In the append script: what is spent on the protocol and the disk is no part of it. */
  readonly scriptUs: number;
  readonly memoryBytes: number;
  readonly logBytes: number;
}

/** Which indexes are kept. */
interface Indexes {
  readonly what: string;
  readonly properties: readonly string[];
  /** The first so many of the plan, in the order name, identity, properties; the terms of the others are left out. */
  readonly count: number;
}

const indexes: readonly Indexes[] = [
  { what: "no index", properties: [], count: 0 },
  { what: "name", properties: [], count: 1 },
  { what: "name, identity", properties: [], count: 2 },
  { what: "name, identity, a property of few values", properties: ["status"], count: 3 },
  { what: "name, identity, a property of many values", properties: ["path"], count: 3 },
];

const roundEvents = 20_000;
const rounds = 5;
const slots = 4;

/** Where the terms are among the arguments of the append script. */
const termsIndex = 11;

/** Prints what each index costs a write, for real events that come in chunks of these sizes. */
export async function printIndexCost(chunkSizes: readonly number[]): Promise<void> {
  // Rewritten, the log would tell nothing of what was appended to it.
  const server = await startRedis(["--auto-aof-rewrite-percentage", "0"]);
  const redis = server.connect();
  try {
    for (const chunkEvents of chunkSizes) {
      const contenders = indexes.map((one) => ({
        measure: createMeasure(redis, one, chunkEvents),
        costs: [] as WriteCost[],
      }));
      for (let round = 0; round < rounds; round++) {
        process.stderr.write(`indexes, chunks of ${chunkEvents} events: round ${round + 1} of ${rounds}\n`);
        for (const { measure, costs } of contenders) costs.push(await measure());
      }
      const costs = contenders.map((contender) => summarize(contender.costs));
      console.log(`an event of a chunk of ${chunkEvents}, with indexes by`);
      console.table(Object.fromEntries(indexes.map(({ what }, i) => [what, toRow(costs[i], costs[0])])));
    }
  } finally {
    redis.disconnect();
    await server.stop();
  }
}

/** Appends real events to a project of their own, more of them with each call. */
function createMeasure(redis: Redis, { properties, count }: Indexes, chunkEvents: number): () => Promise<WriteCost> {
  const append = loadAppendScript(redis);
  const project: Project = { name: `cost-${chunkEvents}-${count}-${properties.join("-")}`, settings: settingDefaults };
  const options = { plan: planIndexes(properties), segmentEvents: segmentEventsDefault, isAgain: false };
  let number = 0;
  return async () => {
    const before = await readStats(redis);
    const inFlight = new Set<Promise<unknown>>();
    for (let stored = 0; stored < roundEvents; stored += chunkEvents) {
      const events = takeEncodedEvents(chunkEvents).map(toChunkEvent);
      const tag = { sender: "cost", slot: ++number % slots, number };
      const { keys, toArgs } = encodeAppendCall({ project, events, isAtomic: false }, tag);
      const args = toArgs(options);
      args[termsIndex] = keepIndexes(args[termsIndex], count);
      const call: Promise<unknown> = append(keys, args).finally(() => inFlight.delete(call));
      inFlight.add(call);
      if (inFlight.size === slots) await Promise.race(inFlight);
    }
    await Promise.all(inFlight);
    const after = await readStats(redis);
    return {
      scriptUs: (after.scriptUs - before.scriptUs) / roundEvents,
      memoryBytes: (after.memory - before.memory) / roundEvents,
      logBytes: (after.log - before.log) / roundEvents,
    };
  };
}

function toChunkEvent({ id, bytes }: { id: string; bytes: Uint8Array }) {
  const event: EventToAppend = { id, bytes, isIdAssigned: false, isTimeAbsent: false, isTest: false };
  return { event, entrance: "grpc" as const };
}

/** Of terms as the script takes them, those of the first indexes. */
function keepIndexes(terms: unknown, count: number): Buffer {
  if (!Buffer.isBuffer(terms)) throw new Error("these are no terms");
  const kept: Buffer[] = [];
  for (let at = 0; at < terms.length; ) {
    const end = at + 5 + 5 * terms.readUInt16BE(at + 3);
    if (terms.readUInt8(at) < count) kept.push(terms.subarray(at, end));
    at = end;
  }
  return Buffer.concat(kept);
}

async function readStats(redis: Redis) {
  const info = parseInfo(await redis.info("everything"));
  const script = /usec=(\d+)/.exec(info.get("cmdstat_evalsha") ?? "")?.[1];
  return {
    scriptUs: Number(script ?? 0),
    memory: Number(info.get("used_memory")),
    log: Number(info.get("aof_current_size")),
  };
}

/** Memory is taken in leaps: only the sum of the rounds tells of it. */
function summarize(costs: readonly WriteCost[]): WriteCost {
  const mean = (valueOf: (cost: WriteCost) => number) =>
    costs.reduce((sum, cost) => sum + valueOf(cost), 0) / costs.length;
  return {
    scriptUs: quantile(
      costs.map(({ scriptUs }) => scriptUs),
      0.5,
    ),
    memoryBytes: mean(({ memoryBytes }) => memoryBytes),
    logBytes: mean(({ logBytes }) => logBytes),
  };
}

function toRow(cost: WriteCost | undefined, bare: WriteCost | undefined) {
  if (cost === undefined || bare === undefined) return {};
  return {
    "Redis µs": cost.scriptUs.toFixed(2),
    "more µs": (cost.scriptUs - bare.scriptUs).toFixed(2),
    "memory bytes": cost.memoryBytes.toFixed(0),
    "more memory": (cost.memoryBytes - bare.memoryBytes).toFixed(1),
    "log bytes": cost.logBytes.toFixed(0),
    "more log": (cost.logBytes - bare.logBytes).toFixed(1),
  };
}
