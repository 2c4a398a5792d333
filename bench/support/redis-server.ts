import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { createEmbeddedRedisConfig, embeddedRedisMemoryBytes } from "../../src/redis/embedded/embedded-redis-config.ts";
import { findRedisServer } from "../../src/redis/embedded/redis-server-program.ts";
import { type MeasuredProcess, startProcess } from "./process.ts";

/** A Redis that is set as the embedded one is, but for what a bench needs otherwise; with data of its own. */
export interface BenchRedis extends MeasuredProcess {
  readonly socketPath: string;
  /** A connection with ioredis' own settings. */
  connect(): Redis;
}

/** Starts one; settings are as on its command line, such as `["--slowlog-log-slower-than", "1000"]`. */
export async function startRedis(settings: readonly string[]): Promise<BenchRedis> {
  const dataDir = mkdtempSync(join(tmpdir(), "sluice-bench-redis-"));
  const socketPath = join(dataDir, "redis.sock");
  const config = join(dataDir, "bench.conf");
  writeFileSync(config, createEmbeddedRedisConfig({ dataDir, socketPath, memoryBytesMax: embeddedRedisMemoryBytes() }));
  const program = await findRedisServer({
    serverPath: process.env.SLUICE_REDIS_SERVER,
    searchPath: process.env.PATH,
  });
  const args = [config, "--logfile", "", ...settings];
  const server = await startProcess(program.path, args, /ready to accept connections/i);
  return {
    ...server,
    socketPath,
    connect: () => new Redis(socketPath),
    async stop() {
      await server.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
