import type { Redis } from "ioredis";
import type { Appended, AppendOptions, EventToAppend } from "../../src/domain/ports.ts";
import type { Project } from "../../src/domain/project.ts";
import {
  createBlockingConnection,
  createReadConnection,
  createWriteConnection,
  waitUntilReady,
} from "../../src/redis/connection.ts";
import type { EventLogLimits, RedisEventLog } from "../../src/redis/event-log.ts";
import { createEventLog } from "../../src/redis/event-log.ts";
import { createRangeConnection } from "../../src/redis/range-connection.ts";
import { parseRedisAddress } from "../../src/redis/redis-address.ts";
import { captureLog } from "./captured-log.ts";

/** An event log with connections of its own. */
export interface OpenEventLog extends AsyncDisposable {
  readonly log: RedisEventLog;
  readonly writeConnection: Redis;
  /** The first of them is `writeConnection`. */
  readonly writeConnections: readonly Redis[];
  append(project: Project, events: readonly EventToAppend[], options?: AppendOptions): Promise<Appended>;
}

/**
 * Opens the event log of the Redis at this address; it writes by way of another address if that is given, and over so many
 * connections.
 */
export async function openEventLog(
  address: string,
  limits: Partial<EventLogLimits> = {},
  writeAddress = address,
  laneCount = 1,
): Promise<OpenEventLog> {
  const { logger } = captureLog();
  const writeConnection = createWriteConnection(writeAddress, logger);
  const others = Array.from({ length: laneCount - 1 }, () => createWriteConnection(writeAddress, logger));
  const writeConnections = [writeConnection, ...others] as const;
  const readConnection = createReadConnection(address, logger);
  const blockingConnection = createBlockingConnection(address, logger);
  const rangeConnection = createRangeConnection(parseRedisAddress(address));
  const connections = [...writeConnections, readConnection, blockingConnection];
  await Promise.all(connections.map((connection) => waitUntilReady(connection, 5000)));
  const log = createEventLog({ writeConnections, readConnection, blockingConnection, rangeConnection, limits });
  return {
    log,
    writeConnection,
    writeConnections,
    append: (project, events, options = {}) => log.append(project, "grpc", events, options),
    async [Symbol.asyncDispose]() {
      await log.drain();
      rangeConnection.close();
      for (const connection of connections) connection.disconnect();
    },
  };
}

/** What became of each event: the kind of its result, or why it failed. */
export function endsOf({ results }: Appended): string[] {
  return results.map((result) => (result.kind === "failed" ? result.error.reason : result.kind));
}

/** Where each event is in the stream, as texts that sort as the positions do; else the kind of its result. */
export function placesOf({ results }: Appended): string[] {
  return results.map((result) => {
    if (result.kind !== "accepted" && result.kind !== "duplicate") return result.kind;
    return `${result.position.ms}-${`${result.position.seq}`.padStart(9, "0")}`;
  });
}
