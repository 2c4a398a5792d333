import { Redis, type RedisOptions } from "ioredis";
import type { Logger } from "pino";
import { StartError } from "../domain/start-error.ts";
import { describeRedisAddress, parseRedisAddress, type RedisTarget } from "./redis-address.ts";

/**
 * A connection for scripts that write: no command is ever sent twice.
 *
 * A command fails at once while Redis is away, when the connection is lost before its reply, or after 2 s; in the last two
 * cases it may have been carried out. It reconnects for ever, within about a second of Redis' return. It connects when
 * first used, or by waitUntilReady. Throws StartError for a malformed address. The log calls it by its purpose.
 */
export function createWriteConnection(address: string, logger: Logger, purpose = "write"): Redis {
  return connect(purpose, address, writeOptions, logger);
}

/**
 * A connection for commands that only read: like the one for writes, but while Redis is away a command waits, and one whose
 * reply was lost with the connection is sent again. It fails after 2 s all the same.
 */
export function createReadConnection(address: string, logger: Logger): Redis {
  return connect("read", address, readOptions, logger);
}

/** How long a command on a blocking connection may block, in ms. */
export const blockMsMax = 5_000;

/**
 * A connection for a command that blocks, which nothing else may then stand behind. A command fails at once while Redis is
 * away, when the connection is lost before its reply, or when nothing has come for 2 s longer than it may block: the
 * connection is then made anew.
 */
export function createBlockingConnection(address: string, logger: Logger): Redis {
  return connect("blocking", address, blockingOptions, logger);
}

/**
 * Waits until a connection can be used. Throws StartError, with the last fault, when that takes longer than the time-out,
 * and at once when the password is refused.
 */
export async function waitUntilReady(redis: Redis, timeoutMs: number): Promise<void> {
  if (redis.status === "ready") return;
  const fault = await untilReady(redis, timeoutMs);
  if (fault === undefined) return;
  throw new StartError(
    `Redis at ${describeRedisAddress(redis.options)} does not answer (${fault}): start it, or correct SLUICE_REDIS_URL`,
  );
}

/** Resolves with undefined when it is ready, else with why it is not. */
function untilReady(redis: Redis, timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    let lastFault = "no reply";
    const settle = (fault?: string) => {
      clearTimeout(timer);
      redis.off("ready", onReady);
      redis.off("error", onError);
      resolve(fault);
    };
    const onReady = () => settle();
    const onError = ({ message }: Error) => {
      lastFault = message;
      if (/^(NOAUTH|WRONGPASS)/.test(message)) settle(message);
    };
    const timer = setTimeout(() => settle(lastFault), timeoutMs);
    redis.on("ready", onReady);
    redis.on("error", onError);
    // An attempt that fails is followed by others: the event tells when one succeeds.
    if (redis.status === "wait") redis.connect().catch(() => {});
  });
}

/** What does not depend on the address. */
type ConnectionSettings = Omit<RedisOptions, keyof RedisTarget | "replyMapping">;

const blockingOptions: ConnectionSettings = {
  protocol: 2,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  enableOfflineQueue: false,
  // A link that is dead without our knowing ends by it.
  socketTimeout: blockMsMax + 2_000,
  connectTimeout: 2_000,
  retryStrategy: (attempt: number) => Math.min(50 * 2 ** Math.min(attempt, 5), 1_000) + Math.random() * 100,
  enableReadyCheck: true,
  // It asks again whether Redis has loaded after Redis' own estimate, which is at least a second.
  maxLoadingRetryTime: 100,
  // A timer of this length outlives even a connection that was lost before, and keeps the process from ending.
  disconnectTimeout: 100,
  keepAlive: 10_000,
  stringNumbers: false,
  lazyConnect: true,
};

const writeOptions: ConnectionSettings = {
  ...blockingOptions,
  commandTimeout: 2_000,
  socketTimeout: 5_000,
};

const readOptions: ConnectionSettings = {
  ...writeOptions,
  // Attempts to connect after which the waiting commands are dropped, about 2 s: without it the queue would only grow.
  maxRetriesPerRequest: 4,
  autoResendUnfulfilledCommands: true,
  enableOfflineQueue: true,
};

function connect(purpose: string, address: string, options: ConnectionSettings, logger: Logger): Redis {
  const target = parseRedisAddress(address);
  const redis = new Redis({ ...target, ...options });
  logChanges(redis, logger.child({ connection: purpose, address: describeRedisAddress(target) }));
  return redis;
}

/** One line when the connection is lost, one when it is back; none for the attempts between, nor for our own goodbye. */
function logChanges(redis: Redis, logger: Logger): void {
  let isLost = false;
  let wasReady = false;
  let fault: string | undefined;
  redis.on("error", (error: Error) => {
    fault = error.message;
  });
  redis.on("reconnecting", () => {
    if (!wasReady || isLost) return;
    isLost = true;
    logger.warn({ fault }, "connection to Redis lost");
  });
  redis.on("ready", () => {
    if (isLost) logger.info("connection to Redis is back");
    isLost = false;
    wasReady = true;
    fault = undefined;
  });
}
