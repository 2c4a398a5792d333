import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Redis } from "ioredis";
import { TestRedis } from "../../support/use-redis.ts";
import { type LoggedTransaction, readTransactions } from "./append-log.ts";

/** What loading the append-only file up to some of its bytes showed. */
export interface PrefixProof {
  readonly prefixCount: number;
  /** Of the whole file. */
  readonly transactionCount: number;
  readonly violations: readonly string[];
}

/** What to load. */
export interface PrefixOptions {
  /** Holds the append-only file, as Redis keeps it. */
  readonly logFolder: string;
  /** Stream ids of all that was acknowledged. */
  readonly acknowledged: readonly string[];
  /** The events' stream, and where ids are remembered. */
  readonly keys: { readonly events: string; readonly ids: string };
  /** Where to cut before the last transactions, as a fraction from 0 to 1 of the file. */
  readonly fractions: readonly number[];
}

/**
 * Cuts the append-only file as a machine that stops while it grows would, and loads each beginning in a Redis of its own: at
 * every byte of the last two transactions, and at the given fractions. There must be all of each transaction that is
 * whole, nothing of the next, an id remembered for each event; in the whole file, all that was acknowledged.
 */
export async function provePrefixes(options: PrefixOptions): Promise<PrefixProof> {
  const { logFolder, acknowledged, fractions } = options;
  const name = readdirSync(logFolder).find((file) => file.endsWith(".incr.aof"));
  if (name === undefined) throw new Error(`there is no append-only file in ${logFolder}`);
  const log = readFileSync(join(logFolder, name));
  const transactions = readTransactions(log);
  const violations = findLost(acknowledged, transactions);

  const begin = transactions.at(-2)?.begin ?? 0;
  const offsets = new Set(fractions.map((fraction) => Math.floor(fraction * begin)));
  for (let offset = begin; offset <= log.length; offset++) offsets.add(offset);

  const waiting = [...offsets];
  async function work(): Promise<void> {
    for (let offset = waiting.pop(); offset !== undefined; offset = waiting.pop()) {
      const expected = transactions.filter(({ end }) => end <= (offset ?? 0)).flatMap(({ streamIds }) => streamIds);
      const fault = await judgePrefix(options, name as string, log.subarray(0, offset), expected);
      if (fault !== undefined) violations.push(`the first ${offset} of ${log.length} bytes: ${fault}`);
    }
  }
  await Promise.all(Array.from({ length: 4 }, work));
  return { prefixCount: offsets.size, transactionCount: transactions.length, violations };
}

function findLost(acknowledged: readonly string[], transactions: readonly LoggedTransaction[]): string[] {
  const logged = new Set(transactions.flatMap(({ streamIds }) => streamIds));
  return acknowledged.filter((id) => !logged.has(id)).map((id) => `${id} was acknowledged, and is not in the file`);
}

async function judgePrefix(
  { logFolder, keys }: PrefixOptions,
  name: string,
  prefix: Buffer,
  expected: readonly string[],
): Promise<string | undefined> {
  const redis = new TestRedis({ isDurable: true });
  try {
    const folder = join(redis.folder, "appendonlydir");
    cpSync(logFolder, folder, { recursive: true });
    writeFileSync(join(folder, name), prefix);
    await redis.start();
    return await compare(redis.connect(), keys, expected);
  } finally {
    await redis.remove();
  }
}

async function compare(redis: Redis, keys: PrefixOptions["keys"], expected: readonly string[]) {
  const loaded = (await redis.xrange(keys.events, "-", "+")).map(([id]) => id);
  const place = expected.findIndex((id, i) => id !== loaded[i]);
  if (place >= 0) return `${expected[place]} is missing`;
  if (loaded.length > expected.length) return `${loaded[expected.length]} is there, of a transaction that is not whole`;
  const remembered = await redis.eval(countRemembered, 0, keys.ids);
  if (remembered !== loaded.length) return `${remembered} ids are remembered for ${loaded.length} events`;
  return undefined;
}

/** In Redis itself, for a key's name ends with bytes that are no text. */
const countRemembered = `
  local count = 0
  for _, key in ipairs(redis.call('KEYS', ARGV[1] .. ':*')) do count = count + redis.call('HLEN', key) end
  return count`;
