import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach } from "vitest";
import { connectProbe } from "../../src/redis/embedded/redis-probe.ts";
import { cutTornTransaction } from "../../src/redis/embedded/torn-transaction.ts";
import { waitUntil } from "./wait-until.ts";

/** How a Redis for tests is to run. */
export interface TestRedisOptions {
  /** On disk before it is acknowledged, so that it outlives kill(). Default: nothing is kept. */
  readonly isDurable?: boolean;
  /** More settings, such as `["--maxmemory", "4mb"]`. They hold after a restart too. */
  readonly args?: readonly string[];
}

/** Gives a test file a Redis of its own: running and empty before each test, gone with its folder after the last. */
export function useRedis(options: TestRedisOptions = {}): TestRedis {
  const redis = new TestRedis(options);
  beforeAll(() => redis.start());
  beforeEach(async () => {
    redis.resume();
    await redis.start();
    await redis.clear();
  });
  afterAll(() => redis.remove());
  return redis;
}

/** A real redis-server on a unix socket in a short folder of its own. */
export class TestRedis {
  readonly folder = mkdtempSync(join(tmpdir(), "sluice-"));
  readonly socketPath = join(this.folder, "r.sock");
  readonly #args: readonly string[];
  readonly #connections = new Set<Redis>();
  #child: ChildProcess | undefined;

  constructor({ isDurable = false, args = [] }: TestRedisOptions = {}) {
    const durability = isDurable ? ["--appendonly", "yes", "--appendfsync", "always"] : ["--appendonly", "no"];
    const place = ["--port", "0", "--unixsocket", this.socketPath, "--dir", this.folder];
    this.#args = [...place, "--save", "", ...durability, ...args];
    process.once("exit", this.#removeAtOnce);
  }

  /** Of the running server; throws when there is none. */
  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error("this Redis is not running");
    return pid;
  }

  /** Starts it, unless it runs, with whatever it left on disk; resolves when it answers with all its data. */
  async start(): Promise<void> {
    if (this.#child !== undefined) return;
    // As the embedded Redis does: a kill may have come in the middle of a write.
    await cutTornTransaction(this.folder);
    const child = spawn(process.env.SLUICE_REDIS_SERVER ?? "redis-server", this.#args, { stdio: "ignore" });
    this.#child = child;
    child.once("exit", () => {
      if (this.#child === child) this.#child = undefined;
    });
    await waitUntil(() => {
      if (this.#child !== child) throw new Error(`it did not start: redis-server ${this.#args.join(" ")}`);
      return this.#answers();
    });
  }

  /** Ends it with kill -9: with everything that is not on disk. Resolves when it is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }

  /** Kills it, when it runs, and starts it again on the same folder and socket. */
  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  /** Freezes it: its connections stay, and nothing is answered. */
  pause(): void {
    process.kill(this.pid, "SIGSTOP");
  }

  /** Ends a pause. No effect when there is none. */
  resume(): void {
    this.#child?.kill("SIGCONT");
  }

  /** A connection with ioredis' own settings; closed with the server's removal, if not before. */
  connect(): Redis {
    const redis = new Redis(this.socketPath);
    redis.on("error", () => {});
    this.#connections.add(redis);
    return redis;
  }

  /** Empties it. */
  async clear(): Promise<void> {
    const redis = await connectProbe(this.socketPath, 10_000);
    await redis?.flushall();
    redis?.disconnect();
  }

  /** Ends it and removes its folder. */
  async remove(): Promise<void> {
    for (const redis of this.#connections) redis.disconnect();
    await this.kill();
    process.off("exit", this.#removeAtOnce);
    this.#removeAtOnce();
  }

  readonly #removeAtOnce = (): void => {
    this.#child?.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  };

  async #answers(): Promise<boolean> {
    const probe = await connectProbe(this.socketPath, 10_000);
    try {
      return (await probe?.ping()) === "PONG";
    } catch (error) {
      return error instanceof Error && error.message.startsWith("NOAUTH");
    } finally {
      probe?.disconnect();
    }
  }
}
