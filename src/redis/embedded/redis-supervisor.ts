import { setTimeout as sleepFor } from "node:timers/promises";
import type { Logger } from "pino";
import { errorText } from "../caught.ts";
import type { RedisProcess } from "./redis-process.ts";

/** Waits, and no longer once the signal is aborted. Never rejects. */
export type Sleep = (ms: number, signal: AbortSignal) => Promise<void>;

/** What a supervisor needs. */
export interface RedisSupervision {
  /** A process that answers already. */
  readonly first: RedisProcess;
  /** Starts the next one. When it rejects, that counts as a process that died before it answered. */
  readonly start: () => Promise<RedisProcess>;
  readonly logger: Logger;
  /** For tests. */
  readonly sleep?: Sleep | undefined;
}

/** Keeps a Redis server running. */
export interface RedisSupervisor {
  /** Ends the process and starts no other. Resolves when it is gone. */
  stop(): Promise<void>;
}

/**
 * Restarts a Redis server whenever it dies: at once, unless it died before it answered; then after 50 ms, doubled each time
 * that this happens in a row, up to a second.
 */
export function superviseRedis({ first, start, logger, sleep = sleepFully }: RedisSupervision): RedisSupervisor {
  const stopping = new AbortController();
  let current = first;

  async function supervise(): Promise<void> {
    for (let failuresInARow = 0; ; ) {
      const hasAnswered = await current.answers;
      const cause = await current.ended;
      if (stopping.signal.aborted) return;

      failuresInARow = hasAnswered ? 0 : failuresInARow + 1;
      const delayMs = toDelayMs(failuresInARow);
      logger.error({ redisPid: current.pid, cause, delayMs }, "Redis died: restarting it");
      if (delayMs > 0) await sleep(delayMs, stopping.signal);
      if (stopping.signal.aborted) return;

      current = await start().catch(neverStarted);
      // Told to stop meanwhile: whoever did could not end a process that was not there yet.
      if (stopping.signal.aborted) return endRedisProcess(current);
      void announce(current);
    }
  }

  async function announce(process: RedisProcess): Promise<void> {
    if (await process.answers) logger.info({ redisPid: process.pid }, "Redis is running again");
  }

  const supervision = supervise();
  return {
    async stop() {
      stopping.abort();
      await endRedisProcess(current);
      await supervision;
    },
  };
}

const graceMs = 5_000;

/** Ends a process: with TERM, and with KILL when that takes longer than 5 s. Resolves when it is gone. */
export async function endRedisProcess(process: RedisProcess): Promise<void> {
  process.kill("SIGTERM");
  const killer = setTimeout(() => process.kill("SIGKILL"), graceMs);
  await process.ended;
  clearTimeout(killer);
}

const delayMsMin = 50;
const delayMsMax = 1_000;

function toDelayMs(failuresInARow: number): number {
  return failuresInARow === 0 ? 0 : Math.min(delayMsMin * 2 ** (failuresInARow - 1), delayMsMax);
}

function neverStarted(error: unknown): RedisProcess {
  const cause = errorText(error);
  return { pid: undefined, answers: Promise.resolve(false), ended: Promise.resolve(cause), kill() {} };
}

async function sleepFully(ms: number, signal: AbortSignal): Promise<void> {
  await sleepFor(ms, undefined, { signal }).catch(() => {});
}
