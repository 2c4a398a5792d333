import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEmbeddedRedisConfig, embeddedRedisFiles } from "../../../src/redis/embedded/embedded-redis-config.ts";
import { connectProbe } from "../../../src/redis/embedded/redis-probe.ts";
import { waitUntil } from "../../support/wait-until.ts";

/** A Redis as Sluice embeds it, whose writes and syncs are recorded. */
export interface TracedRedis {
  readonly socketPath: string;
  /** Kills it. Resolves with the trace, when that is complete. */
  end(): Promise<string>;
  /** Of its append-only file: the folder, which Redis can start from. */
  readonly logFolder: string;
  /** Removes its folder. */
  remove(): void;
}

const recorded = ["write", "writev", "pwrite64", "pwritev", "sendto", "sendmsg", "fdatasync", "fsync"];

/** Starts one. `appendfsync` is `always`, as Sluice has it, or anything else, to see what that looks like. */
export async function startTracedRedis(appendfsync: "always" | "everysec"): Promise<TracedRedis> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-fsync-"));
  const [socketPath, tracePath] = [join(folder, "r.sock"), join(folder, "trace")];
  const { config: configPath, pid: pidPath } = embeddedRedisFiles(folder);
  const config = createEmbeddedRedisConfig({ dataDir: folder, socketPath, memoryBytesMax: 1 << 30 });
  if (!config.includes("appendfsync always")) throw new Error("the embedded Redis is not configured to be durable");
  writeFileSync(configPath, config.replace("appendfsync always", `appendfsync ${appendfsync}`));

  const options = ["-f", "-yy", "-xx", "-s", String(64 << 20), "-e", `trace=${recorded}`, "-o", tracePath];
  const program = process.env.SLUICE_REDIS_SERVER ?? "redis-server";
  const child = spawn("strace", [...options, program, configPath], { stdio: "ignore" });
  const ended = once(child, "exit");

  async function end(): Promise<string> {
    if (child.exitCode === null) process.kill(Number(readFileSync(pidPath, "utf8")), "SIGKILL");
    await ended;
    return readFileSync(tracePath, "latin1");
  }

  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    await waitUntil(() => answers(socketPath), 20_000);
  } catch (error) {
    child.kill("SIGKILL");
    remove();
    throw error;
  }
  return { socketPath, end, logFolder: join(folder, "appendonlydir"), remove };
}

async function answers(socketPath: string): Promise<boolean> {
  const probe = await connectProbe(socketPath, 1000);
  try {
    return (await probe?.ping()) === "PONG";
  } finally {
    probe?.disconnect();
  }
}
