import type { KeyObject } from "node:crypto";
import type { Redis } from "ioredis";
import type { Logger } from "pino";
import { createPageTokens, type PageTokens } from "../domain/page-token.ts";
import type { Clock, EventLog, RejectedEvents } from "../domain/ports.ts";
import type { Project } from "../domain/project.ts";
import { StartError } from "../domain/start-error.ts";
import { errorText } from "./caught.ts";
import { checkRedis } from "./check-redis.ts";
import { createBlockingConnection, createReadConnection, createWriteConnection, waitUntilReady } from "./connection.ts";
import { createEventLog, type EventLogLimits } from "./event-log.ts";
import { startMaintenance } from "./maintenance/maintenance.ts";
import { readPageTokenSecret } from "./page-token-secret.ts";
import { createRangeConnection } from "./range-connection.ts";
import { describeRedisAddress, parseRedisAddress } from "./redis-address.ts";
import { openRejectedEvents } from "./rejected-events.ts";

/** What is kept in one Redis, and whether it can be reached. */
export interface Storage {
  readonly log: EventLog;
  readonly pageTokens: PageTokens;
  readonly rejectedEvents: RejectedEvents;
  isReachable(): boolean;
  /** Answers at once for what is on its way to the log, as far as it can; nothing more is stored. */
  giveUp(): void;
  /** The settings of projects may have changed: what they ask for in the background is begun at once. */
  wake(): void;
  /** Waits for what is on its way, at most this long, and closes the connections. */
  close(drainMs: number): Promise<void>;
}

const connectTimeoutMs = 10_000;
/** Connections that append: 14 µs of Redis an event of 100 projects over one, 12 over two, 11 over four, 10 over sixteen. */
const laneCount = 4;

export interface StorageOptions {
  /** Of a Redis, as SLUICE_REDIS_URL takes it. */
  readonly address: string;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Called when the storage was lost or is back. */
  readonly onChange: () => void;
  /** The projects that are served now, and looked after in the background. */
  readonly readProjects: () => readonly Project[];
  /** Aborted to give up the wait for Redis; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  readonly limits?: Partial<EventLogLimits>;
}

/** Opens the storage. Throws StartError. */
export async function openStorage({
  address,
  logger,
  clock,
  onChange,
  readProjects,
  signal,
  limits,
}: StorageOptions): Promise<Storage> {
  const write = createWriteConnection(address, logger);
  const otherWrites = Array.from({ length: laneCount - 1 }, (_, i) =>
    createWriteConnection(address, logger, `write ${i + 2}`),
  );
  const read = createReadConnection(address, logger);
  const blocking = createBlockingConnection(address, logger);
  const background = createWriteConnection(address, logger, "background");
  const ranges = createRangeConnection(parseRedisAddress(address));
  const connections = [write, ...otherWrites, read, blocking, background];
  // Tails wait for the one that blocks, and the background may wait; all else works without these.
  const needed = [write, ...otherWrites, read];
  try {
    const ready = Promise.all(connections.map((connection) => waitUntilReady(connection, connectTimeoutMs)));
    const notice = setTimeout(() => logger.info(`waiting for Redis at ${describeRedisAddress(write.options)}`), 1000);
    await Promise.race([ready, rejectWhenAborted(signal)]).finally(() => clearTimeout(notice));
    for (const warning of await checkRedis(write)) logger.warn(warning);
    let secret = await readFirstSecret(write);
    const log = createEventLog({
      writeConnections: [write, ...otherWrites],
      readConnection: read,
      blockingConnection: blocking,
      rangeConnection: ranges,
      ...(limits && { limits }),
    });
    write.on("ready", async () => {
      // The data set may be another one now.
      try {
        secret = await readPageTokenSecret(write);
      } catch (error) {
        // Not the error itself: it holds the command, and with it a secret.
        logger.warn({ cause: errorText(error) }, "the secret of page tokens could not be read again");
      }
    });
    for (const connection of needed) connection.on("ready", onChange).on("close", onChange);
    const rejectedEvents = await openRejectedEvents({
      writeConnection: write,
      readConnection: read,
      // Not the error itself: it holds the command, and with it what was sent.
      onLost: (error) => logger.warn({ cause: errorText(error) }, "rejected events could not be kept"),
    });
    const maintenance = startMaintenance({ redis: background, readProjects, logger, clock });
    return {
      log,
      pageTokens: createPageTokens(() => secret),
      rejectedEvents,
      isReachable: () => needed.every((connection) => connection.status === "ready"),
      giveUp: log.giveUp,
      wake: maintenance.wake,
      async close(drainMs) {
        const drained = Promise.all([log.drain(), rejectedEvents.drain(), maintenance.stop()]);
        await Promise.race([drained, new Promise((resolve) => setTimeout(resolve, drainMs).unref())]);
        rejectedEvents.close();
        ranges.close();
        disconnect(connections);
      },
    };
  } catch (error) {
    ranges.close();
    disconnect(connections);
    throw error;
  }
}

/** Redis may be full, or allow too little; it is the operator who can help. */
async function readFirstSecret(redis: Redis): Promise<KeyObject> {
  try {
    return await readPageTokenSecret(redis);
  } catch (error) {
    throw new StartError(`Redis does not keep the secret of page tokens (${errorText(error)})`);
  }
}

function rejectWhenAborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    if (signal?.aborted) reject(signal.reason);
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

function disconnect(connections: readonly Redis[]): void {
  for (const connection of connections) connection.disconnect();
}
