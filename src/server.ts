import type { Logger } from "pino";
import { type CallLog, createCallLog } from "./call-log.ts";
import { createProjects, developmentProject } from "./config/projects.ts";
import { type WatchedProjects, watchProjects } from "./config/reload.ts";
import { keepDevKey, type ServerConfig } from "./config/server-config.ts";
import { createAccess } from "./domain/access.ts";
import { SluiceError } from "./domain/errors.ts";
import { createGetEvent } from "./domain/get-event.ts";
import { createGetLimits } from "./domain/get-limits.ts";
import { createListEvents } from "./domain/list-events.ts";
import { createListRejectedEvents } from "./domain/list-rejected-events.ts";
import { createRejectedRecorder } from "./domain/record-rejected.ts";
import { createTailEvents } from "./domain/tail-events.ts";
import { createTrack } from "./domain/track.ts";
import { startHttpServer } from "./http/app.ts";
import { dialects } from "./http/dialects.ts";
import { lockDataFolder } from "./redis/embedded/data-folder-lock.ts";
import { startEmbeddedRedis } from "./redis/embedded/embedded-redis.ts";
import { openStorage, type Storage } from "./redis/storage.ts";
import { createConnectRoutes } from "./rpc/connect-routes.ts";
import { createEventHandlers, type EventHandlersDeps } from "./rpc/event-service.ts";
import { startGrpcServer } from "./rpc/grpc-server.ts";
import { createStartingHandlers } from "./rpc/starting-handlers.ts";
import { createServing } from "./serving.ts";
import { systemClock } from "./system-clock.ts";
import { watchTlsIdentity } from "./tls/tls-identity.ts";

/** A server that serves. */
export interface RunningServer {
  /** Host and port of everything. */
  readonly httpAddress: string;
  /** Host and port of gRPC alone. */
  readonly grpcAddress: string;
  /** What both ports take connections with; absent when it is not TLS. */
  readonly tls: ServedTls | undefined;
  /** Reads anew what can change while it serves. Never throws. */
  reload(): void;
  /** Lets calls in flight finish, then stops all that was started, within 10 s. */
  close(): Promise<void>;
}

/** What a client has to know of TLS. */
export interface ServedTls {
  /** The file of the certificate chain. */
  readonly certFile: string;
  readonly isClientCertificateRequired: boolean;
  /** That its certificate is for. */
  readonly dnsNames: readonly string[];
}

export interface StartOptions {
  readonly logger: Logger;
  /** The folders of PATH, in which a redis-server is looked for. */
  readonly searchPath: string | undefined;
  /** Aborted to give up a start. */
  readonly signal?: AbortSignal;
}

/** What the server does, for every entrance. */
type Services = Omit<EventHandlersDeps, "shutdown">;

const closeMs = {
  /** For calls in flight. Streams are cut as soon as storage has answered for what it has of them. */
  calls: 4000,
  /** After which storage is waited for no longer: calls that are still open then get their answers. */
  giveUp: 3000,
  /** For what is on its way to storage after that. */
  drain: 1000,
};

/** Starts everything, and resolves when it serves. Throws StartError; then nothing is left running. */
export async function startServer(
  config: ServerConfig,
  { logger, searchPath, signal }: StartOptions,
): Promise<RunningServer> {
  const shutdown = new AbortController();
  const listeners: { close(graceMs: number): Promise<void> }[] = [];
  const closers: (() => Promise<void> | void)[] = [];
  let storage: Storage | undefined;
  let services: Services | undefined;
  const serving = createServing(() => !shutdown.signal.aborted && storage?.isReachable() === true);

  async function close(): Promise<void> {
    shutdown.abort();
    serving.update();
    const giveUp = setTimeout(() => storage?.giveUp(), closeMs.giveUp);
    await Promise.all(listeners.splice(0).map((listener) => listener.close(closeMs.calls)));
    clearTimeout(giveUp);
    // What was started last may need what was started before.
    for (const closeOne of closers.splice(0).reverse()) await closeOne();
  }

  async function start(): Promise<RunningServer> {
    const callLog = createCallLog(logger);
    closers.push(() => callLog.stop());
    const watched = openProjects(config, logger);
    closers.push(() => watched.stop());
    const access = createAccess(watched.projects.readGrants);
    const handlers = createStartingHandlers();
    const { host } = config;
    const tls = config.tls && watchTlsIdentity({ files: config.tls, logger });
    closers.push(() => tls?.stop());

    // The ports first: a second server on this machine then stops before it touches the data folder.
    const grpc = await startGrpcServer({ host, port: config.grpcPort, handlers, access, callLog, serving, tls });
    listeners.push(grpc);
    const calls = createConnectRoutes({ handlers, access, callLog, serving, shutdown: shutdown.signal });
    const http = await startHttpServer({
      host,
      port: config.httpPort,
      calls,
      dialects: { dialects, services: startedServices, access, callLog, clock: systemClock },
      serving,
      logger,
      tls,
    });
    listeners.push(http);

    storage = await openStorage({
      address: config.redisUrl ?? (await startRedis()),
      logger,
      clock: systemClock,
      onChange: serving.update,
      readProjects: watched.projects.readProjects,
      signal,
    });
    closers.push(() => storage?.close(closeMs.drain));
    services = createServices(storage, callLog);
    handlers.start(createEventHandlers({ ...services, shutdown: shutdown.signal }));
    keepDevKey(config);
    serving.update();
    logger.info(
      config.configPath === undefined
        ? "SLUICE_CONFIG is not set: serving the development project only, on loopback only"
        : `serving the projects of ${config.configPath}`,
    );
    return {
      httpAddress: toAddress(host, http.port),
      grpcAddress: toAddress(host, grpc.port),
      tls: config.tls &&
        tls && {
          certFile: config.tls.cert.path,
          isClientCertificateRequired: tls.isClientCertificateRequired,
          dnsNames: tls.dnsNames(),
        },
      reload() {
        watched.reload();
        storage?.wake();
        tls?.reload();
      },
      close,
    };
  }

  function createServices({ log, pageTokens, rejectedEvents }: Storage, callLog: CallLog): Services {
    const clock = systemClock;
    const onRejected = createRejectedRecorder({ rejectedEvents, clock, shutdown: shutdown.signal });
    return {
      track: createTrack({ log, clock, onOutcomes: callLog.countOutcomes, onRejected }),
      listEvents: createListEvents(log, pageTokens),
      getEvent: createGetEvent(log),
      tailEvents: createTailEvents({ log, clock, shutdown: shutdown.signal }),
      listRejectedEvents: createListRejectedEvents(rejectedEvents, pageTokens),
      getLimits: createGetLimits(log),
    };
  }

  function startedServices(): Services {
    if (services === undefined) throw new SluiceError("STORAGE_UNAVAILABLE", "the server is starting");
    return services;
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

function openProjects({ configPath, devKey }: ServerConfig, logger: Logger): WatchedProjects {
  if (configPath !== undefined) return watchProjects({ path: configPath, logger });
  const projects = createProjects(devKey === undefined ? [] : [developmentProject(devKey.key)]);
  return { projects, reload() {}, stop() {} };
}

/** Host and port as a URL writes them. */
function toAddress(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
