import { realpathSync, writeFileSync } from "node:fs";
import type { Logger } from "pino";
import { StartError } from "../../domain/start-error.ts";
import { errorText } from "../caught.ts";
import { createEmbeddedRedisConfig, embeddedRedisFiles, embeddedRedisMemoryBytes } from "./embedded-redis-config.ts";
import { endOrphanRedis } from "./orphan-redis.ts";
import { rotateLogFile } from "./redis-log-file.ts";
import { type RedisLaunch, type RedisProcess, startRedisProcess } from "./redis-process.ts";
import { findRedisServer, type RedisServerSearch } from "./redis-server-program.ts";
import { prepareRedisSocket } from "./redis-socket.ts";
import { endRedisProcess, type Sleep, superviseRedis } from "./redis-supervisor.ts";
import { cutTornTransaction } from "./torn-transaction.ts";

/** How to run the embedded Redis. */
export interface EmbeddedRedisOptions extends RedisServerSearch {
  /** Exists, and this process holds its lock. */
  readonly dataDir: string;
  readonly logger: Logger;
  /** Aborted to give up a start, which may take minutes with much data; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** How long a Redis of an earlier run may take to answer, and then to end. Default 10,000. */
  readonly orphanTimeoutMs?: number | undefined;
  /** How to wait between restarts; for tests. */
  readonly sleep?: Sleep | undefined;
}

/** A Redis server of our own that keeps what it acknowledges on disk, and is restarted when it dies. */
export interface EmbeddedRedis {
  /** Absolute. Stays the same when the server is restarted. */
  readonly socketPath: string;
  /** Ends the server within about 5 s, and resolves when it is gone. */
  stop(): Promise<void>;
}

/**
 * Starts a Redis server on a data folder, and resolves when it answers with all its data loaded, however long that takes.
 *
 * Throws StartError when there is no program to run, when it ends instead of answering, or when the server of an earlier
 * run does not leave the folder.
 */
export async function startEmbeddedRedis(options: EmbeddedRedisOptions): Promise<EmbeddedRedis> {
  const { logger, signal, sleep, orphanTimeoutMs = 10_000 } = options;
  const program = await findRedisServer(options);
  const dataDir = realpathSync(options.dataDir);
  const socket = prepareRedisSocket(dataDir);
  const files = embeddedRedisFiles(dataDir);
  const launch = {
    programPath: program.path,
    configPath: files.config,
    logPath: files.log,
    socketPath: socket.path,
    logger,
  };
  const repairLog = async () => {
    const cutBytes = await cutTornTransaction(dataDir);
    if (cutBytes > 0) logger.warn({ cutBytes }, "Redis died while it wrote: what it had not acknowledged was cut off");
  };
  const endOrphan = () => endOrphanRedis({ dataDir, socketPath: socket.path, timeoutMs: orphanTimeoutMs, logger });

  await endOrphan();
  signal?.throwIfAborted();
  writeFiles(dataDir, socket.path);
  await repairLog();
  const first = await startFirst(launch, signal);
  logger.info({ redisPid: first.pid, version: program.version, socketPath: socket.path }, "Redis is running");

  const supervisor = superviseRedis({
    first,
    async start() {
      // Also before a restart: where the program is a script, its death need not be that of its Redis.
      await endOrphan();
      await repairLog();
      return startRedisProcess(launch);
    },
    logger,
    sleep,
  });
  return {
    socketPath: socket.path,
    async stop() {
      await supervisor.stop();
      socket.remove();
    },
  };
}

function writeFiles(dataDir: string, socketPath: string): void {
  const files = embeddedRedisFiles(dataDir);
  try {
    rotateLogFile(files.log);
    const config = createEmbeddedRedisConfig({ dataDir, socketPath, memoryBytesMax: embeddedRedisMemoryBytes() });
    writeFileSync(files.config, config, { mode: 0o600 });
  } catch (error) {
    throw new StartError(`the data folder ${dataDir} cannot be written (${errorText(error)})`);
  }
}

async function startFirst(launch: RedisLaunch, signal: AbortSignal | undefined): Promise<RedisProcess> {
  const redis = startRedisProcess(launch);
  const giveUp = () => void endRedisProcess(redis);
  signal?.addEventListener("abort", giveUp, { once: true });
  try {
    if (await redis.answers) return redis;
    const cause = await redis.ended;
    signal?.throwIfAborted();
    throw new StartError(`Redis (${launch.programPath}) does not start (${cause}); its log is ${launch.logPath}`);
  } finally {
    signal?.removeEventListener("abort", giveUp);
  }
}
