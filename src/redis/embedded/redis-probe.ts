import { Redis } from "ioredis";
import { errorCode } from "../../files/error-code.ts";

/**
 * One connection to whatever listens on a socket, ready even while that one is loading; undefined when nobody listens.
 *
 * It is not made again once it is lost: its commands then fail, as they do after `commandTimeoutMs`. Whoever got it
 * disconnects it.
 */
export async function connectProbe(socketPath: string, commandTimeoutMs: number): Promise<Redis | undefined> {
  const redis = new Redis({
    path: socketPath,
    protocol: 2,
    lazyConnect: true,
    disableClientInfo: true,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: null,
    connectTimeout: commandTimeoutMs,
    commandTimeout: commandTimeoutMs,
    // A timer of this length outlives even a connection that was lost before, and keeps the process from ending.
    disconnectTimeout: 10,
  });
  let fault: unknown;
  redis.on("error", (error) => {
    fault = error;
  });
  try {
    await redis.connect();
    return redis;
  } catch (error) {
    const code = errorCode(fault);
    if (code === "ENOENT" || code === "ECONNREFUSED") return undefined;
    throw fault ?? error;
  }
}
