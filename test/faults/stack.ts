import { mkdtempSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ChaosProxy } from "../support/chaos-proxy.ts";
import { SluiceProcess } from "../support/sluice-process.ts";
import { TestRedis } from "../support/use-redis.ts";
import { createEventClients, type EventClients } from "./event-clients.ts";
import { projectFile } from "./project-file.ts";
import type { SeededRandom } from "./seeded-random.ts";

/** A running Sluice with a Redis on the durable profile, to do harm to. */
export interface Stack {
  readonly sluice: SluiceProcess;
  /** Clients of the server as it runs now. */
  clients(): EventClients;
  /** Starts the server again after it was ended; its clients are others then. */
  startSluice(): Promise<void>;
  /** Restarts all of it in good order: what is there afterwards comes from disk. */
  restart(): Promise<void>;
  /** Ends and removes all of it. */
  remove(): Promise<void>;
}

/** A disk of its own for the data folder of a stack. */
export interface DataDisk {
  mount(dataDir: string): void;
  unmount(dataDir: string): void;
}

/** Sluice with its embedded Redis, started. */
export async function startEmbeddedStack(disk?: DataDisk): Promise<Stack> {
  const { sluice, removeFile } = createSluice();
  disk?.mount(sluice.dataDir);
  return startStack(sluice, {
    async remove() {
      killOrphan(sluice);
      disk?.unmount(sluice.dataDir);
      removeFile();
    },
  });
}

/** A Sluice with a project file, in a folder of its own: the data folder may be a disk that is full. */
function createSluice({
  env = {},
  rateLimits,
}: {
  env?: Record<string, string>;
  rateLimits?: string | undefined;
} = {}) {
  const folder = mkdtempSync(join(tmpdir(), "sluice-faults-"));
  const path = join(folder, "projects.yaml");
  const sluice = new SluiceProcess({ ...env, SLUICE_CONFIG: path });
  writeFileSync(path, projectFile(sluice.key, rateLimits));
  return { sluice, removeFile: () => rmSync(folder, { recursive: true }) };
}

/** A Sluice that was killed leaves its Redis behind. */
function killOrphan(sluice: SluiceProcess): void {
  try {
    const pid = sluice.redisPid;
    if (pid > 0 && readlinkSync(`/proc/${pid}/cwd`) === sluice.dataDir) process.kill(pid, "SIGKILL");
  } catch {
    // There is none.
  }
}

/** A stack whose Redis is another process, which is reached through a proxy. */
export interface ProxiedStack extends Stack {
  readonly redis: TestRedis;
  readonly proxy: ChaosProxy;
}

/** Sluice, a Redis that is not embedded, and a proxy between the two, started. */
export async function startProxiedStack(
  random: SeededRandom,
  { redisArgs = [], rateLimits }: { redisArgs?: string[]; rateLimits?: string } = {},
): Promise<ProxiedStack> {
  const redis = new TestRedis({ isDurable: true, args: redisArgs });
  const proxy = new ChaosProxy(redis.socketPath, random.fork("proxy").fraction);
  await Promise.all([redis.start(), proxy.start()]);
  const env = { SLUICE_REDIS_URL: `redis://127.0.0.1:${proxy.port}` };
  const { sluice, removeFile } = createSluice({ env, rateLimits });
  const stack = await startStack(sluice, {
    restart: () => redis.restart(),
    async remove() {
      await proxy.close();
      await redis.remove();
      removeFile();
    },
  });
  return { ...stack, redis, proxy };
}

/** What a stack has beside its Sluice. */
interface Surroundings {
  restart?(): Promise<void>;
  remove?(): Promise<void>;
}

async function startStack(sluice: SluiceProcess, surroundings: Surroundings): Promise<Stack> {
  let clients: EventClients | undefined;

  async function startSluice(): Promise<void> {
    await within(30_000, "the server does not start", sluice.start());
    clients = createEventClients(sluice);
  }

  async function remove(): Promise<void> {
    await endSluice(sluice);
    await surroundings.remove?.();
    await sluice.remove();
  }

  try {
    await startSluice();
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    sluice,
    clients() {
      if (clients === undefined) throw new Error("this Sluice has never run");
      return clients;
    },
    startSluice,
    async restart() {
      const exitCode = await endSluice(sluice);
      if (exitCode !== 0) throw new Error(`the server ended with ${exitCode ?? "a signal"} when it was told to`);
      await surroundings.restart?.();
      await startSluice();
    },
    remove,
  };
}

/** Ends it in good order, or, if it takes too long, at once. Resolves with its exit code. */
async function endSluice(sluice: SluiceProcess): Promise<number | null> {
  const killer = setTimeout(() => void sluice.end("SIGKILL"), 20_000);
  try {
    return await sluice.end();
  } finally {
    clearTimeout(killer);
  }
}

async function within<T>(ms: number, fault: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${fault} within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
