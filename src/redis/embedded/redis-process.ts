import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { errorCode } from "../../files/error-code.ts";
import { parseInfo } from "../redis-info.ts";
import { readLastMessage } from "./redis-log-file.ts";
import { connectProbe } from "./redis-probe.ts";

/** A Redis server of ours, from its start to its end. */
export interface RedisProcess {
  /** Undefined when the program could not even be started. */
  readonly pid: number | undefined;
  /** Whether it came to answer: true at its first PONG with all its data loaded, false when it ended before. Never rejects. */
  readonly answers: Promise<boolean>;
  /** Resolves when it has ended, with how it did: `signal SIGKILL`, `exit code 1: ` and its last message. Never rejects. */
  readonly ended: Promise<string>;
  /** No effect once it has ended. */
  kill(signal: "SIGTERM" | "SIGKILL"): void;
}

/** What to start. */
export interface RedisLaunch {
  readonly programPath: string;
  readonly configPath: string;
  /** Takes what it prints before its own log is open. */
  readonly logPath: string;
  readonly socketPath: string;
  readonly logger: Logger;
}

/** Starts a Redis server, out of reach of the terminal's Ctrl-C. While it loads, its progress is logged every 2 s. */
export function startRedisProcess(launch: RedisLaunch): RedisProcess {
  const log = openSync(launch.logPath, "a", 0o600);
  // Detached, for Ctrl-C goes to the whole process group, and Redis must outlive the calls that are being finished.
  const child = spawn(launch.programPath, [launch.configPath], { detached: true, stdio: ["ignore", log, log] });
  closeSync(log);

  const gone = new AbortController();
  const ended = new Promise<string>((resolve) => {
    child.once("exit", (code, signal) =>
      resolve(signal === null ? describeExit(code, launch.logPath) : `signal ${signal}`),
    );
    child.once("error", (error) => {
      // A signal that could not be sent is reported here too.
      if (child.pid === undefined) resolve(error.message);
    });
  });
  void ended.then(() => gone.abort());
  const answers = untilAnswering(launch, gone.signal);
  return { pid: child.pid, answers, ended, kill: (signal) => killGroup(child, signal) };
}

function describeExit(code: number | null, logPath: string): string {
  const message = code === 0 ? "" : readLastMessage(logPath);
  return message === "" ? `exit code ${code}` : `exit code ${code}: ${message}`;
}

// The whole group, for the program may be a script that runs Redis.
function killGroup({ pid, exitCode, signalCode }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined || exitCode !== null || signalCode !== null) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (errorCode(error) !== "ESRCH") throw error;
  }
}

const connectEveryMs = 10;
const askEveryMs = 100;
const commandTimeoutMs = 2_000;
const progressEveryMs = 2_000;

async function untilAnswering({ socketPath, logger }: RedisLaunch, gone: AbortSignal): Promise<boolean> {
  let loadedPercent: number | undefined;
  const progress = setInterval(() => {
    if (loadedPercent === undefined) logger.info("waiting for Redis to answer");
    else logger.info({ loadedPercent }, "Redis is loading its data");
  }, progressEveryMs);
  try {
    while (!gone.aborted) {
      loadedPercent = await readLoadedPercent(socketPath);
      if (loadedPercent === 100) return true;
      const delayMs = loadedPercent === undefined ? connectEveryMs : askEveryMs;
      await sleep(delayMs, undefined, { signal: gone }).catch(() => {});
    }
    return false;
  } finally {
    clearInterval(progress);
  }
}

/** How much of its data it has loaded; 100 once it answers to PING; undefined when it answers to nothing yet. */
async function readLoadedPercent(socketPath: string): Promise<number | undefined> {
  const probe = await connectProbe(socketPath, commandTimeoutMs).catch(() => undefined);
  if (probe === undefined) return undefined;
  try {
    const info = parseInfo(await probe.info("persistence"));
    // Its own percentage may be rounded up to 100, and a little over.
    if (info.get("loading") === "1") return Math.min(99, Number(info.get("loading_loaded_perc")));
    await probe.ping();
    return 100;
  } catch {
    return undefined;
  } finally {
    probe.disconnect();
  }
}
