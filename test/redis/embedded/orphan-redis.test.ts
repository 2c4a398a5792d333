import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { isProcessAlive } from "../../../src/redis/embedded/process-alive.ts";
import { slowLoading, useEmbeddedRedis } from "../../support/use-embedded-redis.ts";
import { waitUntil } from "../../support/wait-until.ts";

const bench = useEmbeddedRedis();

/** Runs a Sluice's Redis from a process of its own, kills that, and returns what is left: the pid of the Redis. */
async function orphanRedis(): Promise<number> {
  const embeddedModule = new URL("../../../src/redis/embedded/embedded-redis.ts", import.meta.url).href;
  const script = `
    import { pino } from "pino";
    import { startEmbeddedRedis } from ${JSON.stringify(embeddedModule)};
    await startEmbeddedRedis({ ...JSON.parse(process.argv[1]), logger: pino({ level: "silent" }) });
    console.log("started");
  `;
  const options = JSON.stringify({ dataDir: bench.dataDir, searchPath: process.env.PATH });
  const sluice = spawn(process.execPath, ["--no-warnings", "--input-type=module", "-e", script, options], {
    stdio: ["ignore", "pipe", "inherit"],
    cwd: import.meta.dirname,
  });
  bench.endLater(sluice);
  await once(sluice.stdout, "data");
  const redis = bench.connect(join(bench.dataDir, "redis.sock"));
  await redis.set("a", "b");
  const pid = await bench.readPid(redis);
  redis.disconnect();
  const exited = once(sluice, "exit");
  sluice.kill("SIGKILL");
  await exited;
  return pid;
}

/** A Redis on the data folder that no Sluice looks after. Resolves when it listens. */
async function startLoneRedis(args: readonly string[] = []): Promise<ChildProcess> {
  const socketPath = join(bench.dataDir, "redis.sock");
  const pidPath = join(bench.dataDir, "redis.pid");
  const place = ["--port", "0", "--dir", bench.dataDir, "--unixsocket", socketPath, "--pidfile", pidPath];
  const child = spawn("redis-server", [...place, "--appendonly", "yes", "--save", "", ...args], { stdio: "ignore" });
  bench.endLater(child);
  await waitUntil(() => existsSync(socketPath) && existsSync(pidPath) && readFileSync(pidPath, "utf8").endsWith("\n"));
  return child;
}

describe("startEmbeddedRedis, where a Redis was left behind", () => {
  it("takes over from the one of a Sluice that was killed", async () => {
    const orphanPid = await orphanRedis();
    expect(isProcessAlive(orphanPid)).toBe(true);

    const redis = await bench.startConnected();

    expect(isProcessAlive(orphanPid)).toBe(false);
    expect(await redis.get("a")).toBe("b");
    expect(await bench.readPid(redis)).not.toBe(orphanPid);
  });

  it("ends one that is still loading", async () => {
    await bench.fill(10_000);
    const logPath = join(bench.temp, "orphan.log");
    const orphan = await startLoneRedis([...slowLoading, "--logfile", logPath]);

    const redis = await bench.startConnected();

    expect(await redis.dbsize()).toBe(10_000);
    expect(orphan.exitCode).toBe(0);
    expect(readFileSync(logPath, "utf8")).not.toContain("DB loaded from append only file");
  });

  it.runIf(process.platform === "linux")("ends one whose socket is lost", async () => {
    const orphan = await startLoneRedis();
    rmSync(join(bench.dataDir, "redis.sock"));

    await bench.start();

    expect(orphan.exitCode).toBe(0);
  });

  it("names the process of one that does not react", async () => {
    const orphan = await startLoneRedis();
    orphan.kill("SIGSTOP");

    await expect(bench.start({ orphanTimeoutMs: 100 })).rejects.toThrow(
      new RegExp(`^a process \\(${orphan.pid}\\) listens on .*redis.sock, but does not answer as a Redis .*: end it`),
    );
  });

  it("names the process of one that answers, but does not end", async () => {
    const orphan = await startLoneRedis(["--rename-command", "SHUTDOWN", ""]);

    await expect(bench.start({ orphanTimeoutMs: 100 })).rejects.toThrow(
      new RegExp(`^a Redis of an earlier run \\(process ${orphan.pid}\\) still uses .*: end it, then start again$`),
    );
  });
});
