import type { ChildProcess } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { afterEach, beforeEach } from "vitest";
import {
  type EmbeddedRedis,
  type EmbeddedRedisOptions,
  startEmbeddedRedis,
} from "../../src/redis/embedded/embedded-redis.ts";
import { isProcessAlive } from "../../src/redis/embedded/process-alive.ts";
import { parseInfo } from "../../src/redis/redis-info.ts";
import { type CapturedLog, captureLog } from "./captured-log.ts";

/** Gives each test a data folder to embed a Redis in; what runs after a test is ended, and the folder removed. */
export function useEmbeddedRedis(): EmbeddedRedisBench {
  const bench = new EmbeddedRedisBench();
  beforeEach(() => bench.prepare());
  afterEach(() => bench.clear());
  return bench;
}

/** A data folder, and what tests do with it. */
export class EmbeddedRedisBench {
  /** Empty at first; gone after the test. */
  temp = "";
  /** An empty folder in it. */
  dataDir = "";
  log: CapturedLog = captureLog();
  readonly #embedded: EmbeddedRedis[] = [];
  readonly #connections: Redis[] = [];
  readonly #pids = new Set<number>();

  prepare(): void {
    this.temp = mkdtempSync(join(tmpdir(), "sluice-"));
    this.dataDir = join(this.temp, "data");
    this.log = captureLog();
    mkdirSync(this.dataDir);
  }

  async clear(): Promise<void> {
    for (const redis of this.#connections.splice(0)) redis.disconnect();
    await Promise.all(this.#embedded.splice(0).map((embedded) => embedded.stop()));
    for (const pid of this.#pids) if (isProcessAlive(pid)) process.kill(pid, "SIGKILL");
    this.#pids.clear();
    rmSync(this.temp, { recursive: true, force: true });
  }

  async start(options: Partial<EmbeddedRedisOptions> = {}): Promise<EmbeddedRedis> {
    const place = { dataDir: this.dataDir, searchPath: process.env.PATH, logger: this.log.logger };
    const embedded = await startEmbeddedRedis({ ...place, ...options });
    this.#embedded.push(embedded);
    return embedded;
  }

  /** Starts one and connects to it. */
  async startConnected(options: Partial<EmbeddedRedisOptions> = {}): Promise<Redis> {
    return this.connect((await this.start(options)).socketPath);
  }

  /** A connection whose commands wait for Redis, also through a restart. */
  connect(socketPath: string): Redis {
    const redis = new Redis({ path: socketPath, retryStrategy: () => 10, maxRetriesPerRequest: null });
    redis.on("error", () => {});
    this.#connections.push(redis);
    return redis;
  }

  async readPid(redis: Redis): Promise<number> {
    return this.endLater(Number(parseInfo(await redis.info("server")).get("process_id")));
  }

  /** Has a process killed after the test, if it still runs then. */
  endLater(process: number | ChildProcess): number {
    const pid = typeof process === "number" ? process : (process.pid ?? 0);
    if (pid > 0) this.#pids.add(pid);
    return pid;
  }

  /** A stand-in for redis-server: it tells a version, and otherwise does what the shell script says. */
  writeProgram(script: string, version = "7.0.15"): string {
    const path = join(this.temp, "program");
    writeFileSync(
      path,
      `#!/bin/sh\n[ "$1" = --version ] && echo "Redis server v=${version} sha=0" && exit\n${script}\n`,
    );
    chmodSync(path, 0o755);
    return path;
  }

  /** Leaves a number of keys in the data folder. */
  async fill(keyCount: number): Promise<void> {
    const embedded = await this.start();
    const pipeline = this.connect(embedded.socketPath).pipeline();
    for (let index = 0; index < keyCount; index += 1) pipeline.set(`key-${index}`, "");
    await pipeline.exec();
    await embedded.stop();
  }
}

/** Settings that make loading slow: so many microseconds for each key. Commands are looked for every 1,024 keys. */
export const slowLoading = ["--key-load-delay", "100"];
