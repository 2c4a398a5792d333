import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { StartError } from "../../../src/domain/start-error.ts";
import { isProcessAlive } from "../../../src/redis/embedded/process-alive.ts";
import { slowLoading, useEmbeddedRedis } from "../../support/use-embedded-redis.ts";
import { waitUntil } from "../../support/wait-until.ts";

const bench = useEmbeddedRedis();

afterEach(() => {
  vi.useRealTimers();
});

describe("startEmbeddedRedis", () => {
  it("listens on a private socket in the data folder alone", async () => {
    const { socketPath } = await bench.start();

    expect(socketPath).toBe(join(bench.dataDir, "redis.sock"));
    expect(statSync(socketPath).mode & 0o777).toBe(0o700);
    expect(await bench.connect(socketPath).config("GET", "port")).toEqual(["port", "0"]);
  });

  it("uses a short socket in a private folder when the data folder's path is long", async () => {
    bench.dataDir = join(bench.temp, "d".repeat(120), 'with "quotes", spaces and \\');
    mkdirSync(bench.dataDir, { recursive: true });

    const embedded = await bench.start();

    expect(Buffer.byteLength(embedded.socketPath)).toBeLessThanOrEqual(107);
    expect(statSync(dirname(embedded.socketPath)).mode & 0o777).toBe(0o700);
    expect(await bench.connect(embedded.socketPath).ping()).toBe("PONG");
    await embedded.stop();
    expect(existsSync(dirname(embedded.socketPath))).toBe(false);
  });

  it.runIf(process.platform === "linux")("runs out of reach of the terminal's Ctrl-C", async () => {
    const pid = await bench.readPid(await bench.startConnected());

    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const processGroup = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[2];
    expect(processGroup).toBe(String(pid));
  });

  it("finds the data of the run before, and keeps its log", async () => {
    await bench.fill(1);
    const firstLog = readFileSync(join(bench.dataDir, "redis.log"), "utf8");

    expect(await (await bench.startConnected()).dbsize()).toBe(1);

    expect(readFileSync(join(bench.dataDir, "redis.log.1"), "utf8")).toBe(firstLog);
  });

  it("says how far it has loaded, and waits for all of it", async () => {
    await bench.fill(3_000);
    const serverPath = bench.writeProgram(`exec redis-server "$@" ${slowLoading.join(" ")}`);
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });

    const starting = bench.startConnected({ serverPath });
    await waitUntil(() => {
      vi.advanceTimersByTime(2_000);
      return bench.log.containing("Redis is loading its data").length > 0;
    });

    expect(bench.log.containing('"loadedPercent":').length).toBeGreaterThan(0);
    expect(await (await starting).dbsize()).toBe(3_000);
  });

  it("gives up when its signal is aborted, and leaves no process", async () => {
    const pidFile = join(bench.temp, "pid");
    const serverPath = bench.writeProgram(
      `echo $$ > "${pidFile}.part"; mv "${pidFile}.part" "${pidFile}"; exec sleep 600`,
    );
    const stop = new AbortController();
    const starting = bench.start({ serverPath, signal: stop.signal });
    const pid = await waitUntil(() => existsSync(pidFile) && Number(readFileSync(pidFile, "utf8")));
    bench.endLater(pid);

    stop.abort(new Error("told to stop"));

    await expect(starting).rejects.toThrow("told to stop");
    expect(isProcessAlive(pid)).toBe(false);
  });

  it("says how a Redis ended that did not come to answer", async () => {
    const serverPath = bench.writeProgram('echo "no luck today"; exit 3');
    const logPath = join(bench.dataDir, "redis.log");

    await expect(bench.start({ serverPath })).rejects.toThrow(
      new StartError(`Redis (${serverPath}) does not start (exit code 3: no luck today); its log is ${logPath}`),
    );
  });

  it("says that the log of events is damaged, and leaves it as it is", async () => {
    await bench.fill(1);
    const aof = join(bench.dataDir, "appendonlydir", "appendonly.aof.1.incr.aof");
    appendFileSync(aof, "garbage\r\n");
    const damaged = readFileSync(aof);

    await expect(bench.start()).rejects.toThrow(
      /\(exit code 1: Bad file format .* use .\/redis-check-aof .*\); its log/,
    );

    expect(readFileSync(aof)).toEqual(damaged);
  });
});

describe("stop", () => {
  it("leaves no process and no socket, and restarts nothing", async () => {
    const embedded = await bench.start();
    const pid = await bench.readPid(bench.connect(embedded.socketPath));

    await embedded.stop();
    await embedded.stop();

    expect(isProcessAlive(pid)).toBe(false);
    expect(existsSync(embedded.socketPath)).toBe(false);
    expect(bench.log.containing("Redis died")).toHaveLength(0);
  });

  it("keeps nothing that would keep the process from ending", async () => {
    const embeddedModule = new URL("../../../src/redis/embedded/embedded-redis.ts", import.meta.url).href;
    const script = `
      import { pino } from "pino";
      import { startEmbeddedRedis } from ${JSON.stringify(embeddedModule)};
      const { dataDir, searchPath } = JSON.parse(process.argv[1]);
      const embedded = await startEmbeddedRedis({ dataDir, searchPath, logger: pino({ level: "silent" }) });
      await embedded.stop();
      console.log(process.getActiveResourcesInfo().filter((name) => name === "Timeout").join());
    `;
    const options = JSON.stringify({ dataDir: bench.dataDir, searchPath: process.env.PATH });
    const child = spawn(process.execPath, ["--no-warnings", "--input-type=module", "-e", script, options], {
      stdio: ["ignore", "pipe", "inherit"],
      cwd: import.meta.dirname,
    });
    bench.endLater(child);

    const [[output], [exitCode]] = await Promise.all([once(child.stdout, "data"), once(child, "exit")]);

    expect(String(output)).toBe("\n");
    expect(exitCode).toBe(0);
  });
});
