import type { Logger } from "pino";
import { createCallLog } from "./call-log.ts";
import { keepDevKey, type ServerConfig } from "./config.ts";
import { createAccess, digestKey } from "./domain/access.ts";
import { createListEvents } from "./domain/list-events.ts";
import type { Project } from "./domain/project.ts";
import { createTrack } from "./domain/track.ts";
import { startHttpServer } from "./http/app.ts";
import { lockDataFolder } from "./redis/embedded/data-folder-lock.ts";
import { startEmbeddedRedis } from "./redis/embedded/embedded-redis.ts";
import { openStorage, type Storage } from "./redis/storage.ts";
import { createConnectRoutes } from "./rpc/connect-routes.ts";
import { createEventHandlers } from "./rpc/event-service.ts";
import { startGrpcServer } from "./rpc/grpc-server.ts";
import { createStartingHandlers } from "./rpc/starting-handlers.ts";
import { createServing } from "./serving.ts";

/** A server that serves. */
export interface RunningServer {
  /** Host and port of everything. */
  readonly httpAddress: string;
  /** Host and port of gRPC alone. */
  readonly grpcAddress: string;
  /** Lets calls in flight finish, then stops all that was started, within 10 s. */
  close(): Promise<void>;
}

export interface StartOptions {
  readonly logger: Logger;
  /** The folders of PATH, in which a redis-server is looked for. */
  readonly searchPath: string | undefined;
  /** Aborted to give up a start. */
  readonly signal?: AbortSignal;
}

const closeMs = {
  /** For calls in flight. Streams are cut as soon as storage has answered for what it has of them. */
  calls: 4000,
  /** For what is on its way to storage after that. */
  drain: 1000,
};

/** The only project until there is a configuration. */
const devProject: Project = { name: "dev", dedupeWindowMs: 7 * 24 * 60 * 60 * 1000 };

/** Starts everything, and resolves when it serves. Throws StartError; then nothing is left running. */
export async function startServer(
  config: ServerConfig,
  { logger, searchPath, signal }: StartOptions,
): Promise<RunningServer> {
  const shutdown = new AbortController();
  const listeners: { close(graceMs: number): Promise<void> }[] = [];
  const closers: (() => Promise<void> | void)[] = [];
  let storage: Storage | undefined;
  const serving = createServing(() => !shutdown.signal.aborted && storage?.isReachable() === true);

  async function close(): Promise<void> {
    shutdown.abort();
    serving.update();
    await Promise.all(listeners.splice(0).map((listener) => listener.close(closeMs.calls)));
    // What was started last may need what was started before.
    for (const closeOne of closers.splice(0).reverse()) await closeOne();
  }

  async function start(): Promise<RunningServer> {
    const callLog = createCallLog(logger);
    closers.push(() => callLog.stop());
    const access = createAccess(new Map([[digestKey(config.devKey.key), devProject]]));
    const handlers = createStartingHandlers();
    const { host } = config;

    // The ports first: a second server on this machine then stops before it touches the data folder.
    const grpc = await startGrpcServer({ host, port: config.grpcPort, handlers, access, callLog, serving });
    listeners.push(grpc);
    const calls = createConnectRoutes({ handlers, access, callLog, serving, shutdown: shutdown.signal });
    const http = await startHttpServer({ host, port: config.httpPort, calls, serving, logger });
    listeners.push(http);

    storage = await openStorage({
      address: config.redisUrl ?? (await startRedis()),
      logger,
      onChange: serving.update,
      signal,
    });
    closers.push(() => storage?.close(closeMs.drain));
    const { log, pageTokens } = storage;
    const clock = { nowMs: () => Date.now() };
    const track = createTrack({ log, clock, onOutcomes: callLog.countOutcomes });
    const listEvents = createListEvents(log, pageTokens);
    handlers.start(createEventHandlers({ track, listEvents, shutdown: shutdown.signal }));
    keepDevKey(config);
    serving.update();
    return { httpAddress: toAddress(host, http.port), grpcAddress: toAddress(host, grpc.port), close };
  }

  async function startRedis(): Promise<string> {
    const { dataDir, redisServer } = config;
    const lock = lockDataFolder(dataDir);
    closers.push(() => lock.release());
    const redis = await startEmbeddedRedis({ dataDir, serverPath: redisServer, searchPath, logger, signal });
    closers.push(() => redis.stop());
    return redis.socketPath;
  }

  try {
    return await start();
  } catch (error) {
    await close();
    throw error;
  }
}

/** Host and port as a URL writes them. */
function toAddress(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
