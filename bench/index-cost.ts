import type { Redis } from "ioredis";
import type { EventToAppend } from "../src/domain/ports.ts";
import { type Project, settingDefaults } from "../src/domain/project.ts";
import { encodeAppendCall, loadAppendScript, segmentEventsDefault } from "../src/redis/append-events.ts";
import { planIndexes } from "../src/redis/index-plan.ts";
import { parseInfo } from "../src/redis/redis-info.ts";
import { readIndexMemory } from "./support/index-memory.ts";
import { quantile } from "./support/quantile.ts";
import { takeEncodedEvents } from "./support/real-events.ts";
import { startRedis } from "./support/redis-server.ts";

/** What appending events costs Redis, for one event. */
interface WriteCost {
  /** In the append script: what is spent on the protocol and the disk is no part of it. */
  readonly scriptUs: number;
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
export const termsIndex = 11;

/** Prints what each index costs a write, for real events that come in chunks of these sizes. */
export async function printIndexCost(chunkSizes: readonly number[]): Promise<void> {
  const server = await startRedis();
  const redis = server.connect();
  try {
    for (const chunkEvents of chunkSizes) {
      const contenders = indexes.map((one) => createContender(redis, one, chunkEvents));
      const samples: WriteCost[][] = [];
      for (let round = 0; round < rounds; round++) {
        process.stderr.write(`indexes, chunks of ${chunkEvents} events: round ${round + 1} of ${rounds}\n`);
        const costs: WriteCost[] = [];
        for (const { append } of contenders) costs.push(await append());
        samples.push(costs);
      }
      const rows = contenders.map(async ({ what, readMemory }, i) => {
        const row = { ...toRow(samples, i), "index memory": (await readMemory()).toFixed(1) };
        return [what, row] as const;
      });
      console.log(`an event of a chunk of ${chunkEvents}, with indexes by`);
      console.table(Object.fromEntries(await Promise.all(rows)));
    }
  } finally {
    redis.disconnect();
    await server.stop();
  }
}

/** A project of its own. */
interface Contender {
  readonly what: string;
  /** Appends more real events. */
  append(): Promise<WriteCost>;
  /** Bytes of memory that its indexes take, for one event. */
  readMemory(): Promise<number>;
}

function createContender(redis: Redis, { what, properties, count }: Indexes, chunkEvents: number): Contender {
  const script = loadAppendScript(redis);
  const name = `cost-${chunkEvents}-${count}-${properties.join("-")}`;
  const project: Project = { name, settings: settingDefaults };
  const plan = planIndexes(properties);
  const options = { plan, segmentEvents: segmentEventsDefault, isAgain: false };
  let number = 0;
  return {
    what,
    async append() {
      const before = await readStats(redis);
      const inFlight = new Set<Promise<unknown>>();
      for (let stored = 0; stored < roundEvents; stored += chunkEvents) {
        const events = takeEncodedEvents(chunkEvents).map(toChunkEvent);
        const tag = { sender: "cost", slot: ++number % slots, number };
        const { keys, toArgs } = encodeAppendCall({ project, events, isAtomic: false }, tag);
        const args = toArgs(options);
        args[termsIndex] = keepIndexes(args[termsIndex], count);
        const call: Promise<unknown> = script(keys, args).finally(() => inFlight.delete(call));
        inFlight.add(call);
        if (inFlight.size === slots) await Promise.race(inFlight);
      }
      await Promise.all(inFlight);
      const after = await readStats(redis);
      return {
        scriptUs: (after.scriptUs - before.scriptUs) / roundEvents,
        logBytes: (after.log - before.log) / roundEvents,
      };
    },
    async readMemory() {
      const kept = plan.ids.slice(0, count).map((id) => readIndexMemory(redis, name, id));
      const bytes = (await Promise.all(kept)).reduce((sum, index) => sum + index.bytes, 0);
      return bytes / (number * chunkEvents || 1);
    },
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

async function readStats(redis: Redis): Promise<{ scriptUs: number; log: number }> {
  const info = parseInfo(await redis.info("everything"));
  const scriptUs = Number(/usec=(\d+)/.exec(info.get("cmdstat_evalsha") ?? "")?.[1] ?? 0);
  return { scriptUs, log: Number(info.get("aof_current_size")) };
}

/** A contender's medians, and those of what each round cost more than without any index. */
function toRow(samples: readonly (readonly WriteCost[])[], contender: number) {
  const median = (cost: keyof WriteCost, isMore: boolean) =>
    quantile(
      samples.map((costs) => (costs[contender]?.[cost] ?? 0) - (isMore ? (costs[0]?.[cost] ?? 0) : 0)),
      0.5,
    );
  return {
    "Redis µs": median("scriptUs", false).toFixed(2),
    "more µs": median("scriptUs", true).toFixed(2),
    "log bytes": median("logBytes", false).toFixed(0),
    "more log": median("logBytes", true).toFixed(1),
  };
}
