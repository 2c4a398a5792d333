import { readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import type { Logger } from "pino";
import { StartError } from "../../domain/start-error.ts";
import { errorText } from "../caught.ts";
import { parseInfo } from "../redis-info.ts";
import { embeddedRedisFiles } from "./embedded-redis-config.ts";
import { readLivePid } from "./pid-file.ts";
import { isProcessAlive } from "./process-alive.ts";
import { connectProbe } from "./redis-probe.ts";

/** Where an orphan may be, and how long to wait for it. */
export interface OrphanSearch {
  /** A real path. */
  readonly dataDir: string;
  readonly socketPath: string;
  /** How long its answer may take, and then its end. */
  readonly timeoutMs: number;
  readonly logger: Logger;
}

/**
 * Ends the Redis that a Sluice which was killed left behind on a data folder, and returns once its process is gone: two on
 * one folder would ruin the data. Returns at once when there is none. Throws StartError when it does not end in time.
 */
export async function endOrphanRedis(search: OrphanSearch): Promise<void> {
  const { dataDir, socketPath, logger } = search;
  const probe = await connectToOrphan(search);
  if (probe === undefined) {
    const pid = findByPidFile(dataDir);
    if (pid === undefined) return;
    logger.warn(
      { redisPid: pid },
      "a Redis of an earlier run still uses the data folder without its socket: ending it",
    );
    terminate(pid);
    return untilGone(search, pid);
  }
  try {
    const pid = await readPid(probe, search);
    logger.warn(
      { redisPid: pid, socketPath },
      "a Redis of an earlier run still answers on the socket: shutting it down",
    );
    // Its answer to success is to hang up. Whether it obeys shows in its process alone.
    probe.call("SHUTDOWN", "NOSAVE").catch(() => {});
    await untilGone(search, pid);
  } finally {
    probe.disconnect();
  }
}

async function connectToOrphan(search: OrphanSearch): Promise<Redis | undefined> {
  try {
    return await connectProbe(search.socketPath, search.timeoutMs);
  } catch (error) {
    throw stuck(search, error);
  }
}

async function readPid(probe: Redis, search: OrphanSearch): Promise<number> {
  try {
    const pid = Number(parseInfo(await probe.info("server")).get("process_id"));
    if (Number.isSafeInteger(pid) && pid > 0) return pid;
  } catch (error) {
    throw stuck(search, error);
  }
  throw stuck(search, new Error("it does not tell its process"));
}

function stuck({ dataDir, socketPath }: OrphanSearch, error: unknown): StartError {
  const pid = readLivePid(embeddedRedisFiles(dataDir).pid);
  const fault = errorText(error);
  return new StartError(
    `a process${pid === undefined ? "" : ` (${pid})`} listens on ${socketPath}, but does not answer as a Redis (${fault}): ` +
      "end it, then start again",
  );
}

/** A Redis whose socket is lost, by the pid that it wrote and the folder that it works in; on Linux only. */
function findByPidFile(dataDir: string): number | undefined {
  const pid = readLivePid(embeddedRedisFiles(dataDir).pid);
  if (pid === undefined) return undefined;
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === dataDir ? pid : undefined;
  } catch {
    return undefined;
  }
}

function terminate(pid: number): void {
  try {
    process.kill(pid, "SIGTERM");
  } catch {
    // It is gone already, or it is not ours to end; which of the two shows in whether it stays.
  }
}

async function untilGone({ dataDir, timeoutMs }: OrphanSearch, pid: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (isProcessAlive(pid)) {
    if (performance.now() > deadline) {
      throw new StartError(
        `a Redis of an earlier run (process ${pid}) still uses ${dataDir} and does not end: end it, then start again`,
      );
    }
    await sleep(10);
  }
}
