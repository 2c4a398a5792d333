import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { isProcessAlive } from "../../../src/redis/embedded/process-alive.ts";
import { useEmbeddedRedis } from "../../support/use-embedded-redis.ts";
import { waitUntil } from "../../support/wait-until.ts";

const bench = useEmbeddedRedis();

afterEach(() => {
  vi.useRealTimers();
});

/** A program that runs Redis, or ends at once while the file `broken` exists. */
function writeBreakable(): { serverPath: string; broken: string } {
  const broken = join(bench.temp, "broken");
  return { serverPath: bench.writeProgram(`[ -e "${broken}" ] && exit 1; exec redis-server "$@"`), broken };
}

const isRunningAgain = (times: number) =>
  waitUntil(() => bench.log.containing("Redis is running again").length === times);

describe("an embedded Redis that dies", () => {
  it("is restarted with everything that it acknowledged", async () => {
    const redis = await bench.startConnected();
    for (let index = 0; index < 100; index += 1) await redis.xadd("events", "*", "e", String(index));
    const pid = await bench.readPid(redis);

    process.kill(pid, "SIGKILL");
    await isRunningAgain(1);

    expect(await redis.xlen("events")).toBe(100);
    expect(await bench.readPid(redis)).not.toBe(pid);
    expect(bench.log.containing('"cause":"signal SIGKILL","delayMs":0,"msg":"Redis died: restarting it"')).toHaveLength(
      1,
    );
  });

  it("is restarted ever more slowly while it does not come to answer, and at once after it has", async () => {
    const { serverPath, broken } = writeBreakable();
    const delays: number[] = [];
    const sleep = async (ms: number) => {
      delays.push(ms);
      if (delays.length === 7) rmSync(broken);
    };
    const redis = await bench.startConnected({ serverPath, sleep });
    writeFileSync(broken, "");
    process.kill(await bench.readPid(redis), "SIGKILL");
    await isRunningAgain(1);

    expect(delays).toEqual([50, 100, 200, 400, 800, 1_000, 1_000]);

    process.kill(await bench.readPid(redis), "SIGKILL");
    await isRunningAgain(2);
    await bench.readPid(redis);
    expect(delays).toHaveLength(7);
  });

  it("is replaced when only the script that runs it was killed", async () => {
    const scriptPid = join(bench.temp, "script");
    const redis = await bench.startConnected({
      serverPath: bench.writeProgram(`echo $$ > "${scriptPid}"; redis-server "$@" & wait`),
    });
    await redis.set("a", "b");
    const pid = await bench.readPid(redis);

    process.kill(Number(readFileSync(scriptPid, "utf8")), "SIGKILL");
    await isRunningAgain(1);

    expect(isProcessAlive(pid)).toBe(false);
    expect(await redis.get("a")).toBe("b");
    await bench.readPid(redis);
  });
});

describe("stop", () => {
  it("kills a Redis that does not end within 5 s", async () => {
    const embedded = await bench.start();
    const pid = await bench.readPid(bench.connect(embedded.socketPath));
    process.kill(pid, "SIGSTOP");
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });

    const stopped = embedded.stop();
    vi.advanceTimersByTime(5_000);
    await stopped;

    expect(isProcessAlive(pid)).toBe(false);
  });

  it("ends a wait between two restarts", async () => {
    const { serverPath, broken } = writeBreakable();
    const embedded = await bench.start({
      serverPath,
      sleep: (_, signal) => new Promise((resolve) => signal.addEventListener("abort", () => resolve())),
    });
    writeFileSync(broken, "");
    process.kill(await bench.readPid(bench.connect(embedded.socketPath)), "SIGKILL");
    await waitUntil(() => bench.log.containing('"delayMs":50').length === 1);

    await embedded.stop();

    rmSync(broken);
    expect(existsSync(join(bench.dataDir, "redis.pid"))).toBe(true);
    expect(bench.log.containing("Redis is running again")).toHaveLength(0);
  });
});
