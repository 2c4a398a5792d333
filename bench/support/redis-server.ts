import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import { createEmbeddedRedisConfig, embeddedRedisMemoryBytes } from "../../src/redis/embedded/embedded-redis-config.ts";
import { findRedisServer } from "../../src/redis/embedded/redis-server-program.ts";
import { versionOf } from "./find-program.ts";
import { makeTempFolder } from "./lifetime.ts";
import { type MeasuredProcess, startProcess } from "./process.ts";

/** A Redis that is set as the embedded one is, but for what a bench needs otherwise; with data of its own. */
export interface BenchRedis extends MeasuredProcess {
  readonly socketPath: string;
  /** A connection with ioredis' own settings. */
  connect(): Redis;
}

/** The version of the Redis that is measured. */
export async function readRedisVersion(): Promise<string> {
  return versionOf((await findServer()).path);
}

function findServer() {
  return findRedisServer({ serverPath: process.env.SLUICE_REDIS_SERVER, searchPath: process.env.PATH });
}

/** To rewrite the log is work that would fall upon one measurement or another. */
const withoutRewrites = ["--auto-aof-rewrite-percentage", "0"];

/** Starts one; settings are as on its command line, such as `["--slowlog-log-slower-than", "1000"]`. */
export async function startRedis(settings: readonly string[] = []): Promise<BenchRedis> {
  const folder = makeTempFolder("redis");
  const socketPath = join(folder.path, "redis.sock");
  const config = join(folder.path, "bench.conf");
  const place = { dataDir: folder.path, socketPath, memoryBytesMax: embeddedRedisMemoryBytes() };
  writeFileSync(config, createEmbeddedRedisConfig(place));
  const program = await findServer();
  const args = [config, "--logfile", "", ...withoutRewrites, ...settings];
  const server = await startProcess(program.path, args, /ready to accept connections/i);
  return {
    ...server,
    socketPath,
    connect: () => new Redis(socketPath),
    async stop() {
      await server.stop();
      await folder.remove();
    },
  };
}
