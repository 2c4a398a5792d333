import type { Redis } from "ioredis";
import type { Logger } from "pino";
import { createPageTokens, type PageTokens } from "../domain/page-token.ts";
import type { EventLog } from "../domain/ports.ts";
import { checkRedis } from "./check-redis.ts";
import { createReadConnection, createWriteConnection, waitUntilReady } from "./connection.ts";
import { createEventLog, type EventLogLimits } from "./event-log.ts";
import { readPageTokenSecret } from "./page-token-secret.ts";

/** What is kept in one Redis, and whether it can be reached. */
export interface Storage {
  readonly log: EventLog;
  readonly pageTokens: PageTokens;
  isReachable(): boolean;
  /** Waits for what is on its way, at most this long, and closes the connections. */
  close(drainMs: number): Promise<void>;
}

const connectTimeoutMs = 10_000;

/** Opens the storage at an address. `onChange` is called when it was lost or is back. Throws StartError. */
export async function openStorage(
  address: string,
  logger: Logger,
  onChange: () => void,
  limits: Partial<EventLogLimits> = {},
): Promise<Storage> {
  const write = createWriteConnection(address, logger);
  const read = createReadConnection(address, logger);
  const connections = [write, read];
  try {
    await Promise.all(connections.map((connection) => waitUntilReady(connection, connectTimeoutMs)));
    for (const warning of await checkRedis(write)) logger.warn(warning);
    let secret = await readPageTokenSecret(write);
    const log = createEventLog({ writeConnection: write, readConnection: read, limits });
    write.on("ready", async () => {
      // The data set may be another one now.
      try {
        secret = await readPageTokenSecret(write);
      } catch (error) {
        logger.warn({ err: error }, "the secret of page tokens could not be read again");
      }
    });
    for (const connection of connections) connection.on("ready", onChange).on("close", onChange);
    return {
      log,
      pageTokens: createPageTokens(() => secret),
      isReachable: () => connections.every((connection) => connection.status === "ready"),
      async close(drainMs) {
        await Promise.race([log.drain(), new Promise((resolve) => setTimeout(resolve, drainMs).unref())]);
        disconnect(connections);
      },
    };
  } catch (error) {
    disconnect(connections);
    throw error;
  }
}

function disconnect(connections: readonly Redis[]): void {
  for (const connection of connections) connection.disconnect();
}
