import { once } from "node:events";
import { readFileSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { isProcessAlive } from "../../src/redis/embedded/process-alive.ts";
import { GrpcEventClient, readErrorDetails } from "../support/grpc-event-client.ts";
import { runSluice, SluiceProcess } from "../support/sluice-process.ts";
import { TestRedis } from "../support/use-redis.ts";
import { waitUntil } from "../support/wait-until.ts";

const open: { remove(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.remove();
});

function newSluice(env: Record<string, string> = {}): SluiceProcess {
  const sluice = new SluiceProcess(env);
  open.push(sluice);
  return sluice;
}

async function listIds(sluice: SluiceProcess): Promise<string[]> {
  const { stdout } = await runSluice(sluice, ["list", "--json", "--oldest-first"]);
  return stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line).id);
}

const importLine = (sluice: SluiceProcess, id: string) =>
  runSluice(sluice, ["import", "-"], `${JSON.stringify({ id, name: "started" })}\n`);

describe("sluice serve", () => {
  it("finds the events of an earlier start again, and keeps its key to its owner", async () => {
    const sluice = newSluice();
    await sluice.start();
    await importLine(sluice, "first");
    expect(await sluice.end()).toBe(0);
    await sluice.start();

    await importLine(sluice, "second");

    expect(await listIds(sluice)).toEqual(["first", "second"]);
    expect(readFileSync(join(sluice.dataDir, "dev-key"), "utf8").trim()).toBe(sluice.key);
    expect(statSync(join(sluice.dataDir, "dev-key")).mode & 0o777).toBe(0o600);
  });

  it("leaves no process behind, and tells streams where to go on", async () => {
    const sluice = newSluice();
    await sluice.start();
    const { redisPid } = sluice;
    const client = new GrpcEventClient(sluice.grpcAddress, sluice.key);
    const { call, response } = client.openTrackBatch();
    call.write({
      events: [
        { id: "a", name: "n" },
        { id: "b", name: "n" },
      ],
    });
    await waitUntil(async () => (await client.listEvents({})).events.length === 2);
    const failed = response.then(() => undefined, readErrorDetails);

    expect(await sluice.end()).toBe(0);

    const { reason, summary } = (await failed) ?? {};
    client.close();
    expect({ reason, nextIndex: summary?.nextIndex, accepted: summary?.acceptedCount }).toEqual({
      reason: "SHUTTING_DOWN",
      nextIndex: 2n,
      accepted: 2n,
    });
    expect(isProcessAlive(redisPid)).toBe(false);
  });

  it("ends with npm when that is told to end", async () => {
    const sluice = newSluice();
    await sluice.start("npm", ["start"]);
    const { redisPid } = sluice;
    const [, serverPid = "0"] = /(\d+)/.exec(readFileSync(join(sluice.dataDir, "lock.pid"), "utf8")) ?? [];

    await sluice.end("SIGTERM");

    await waitUntil(() => !isProcessAlive(Number(serverPid)) && !isProcessAlive(redisPid));
  });

  it("takes the data folder over from a server that was killed", async () => {
    const sluice = newSluice();
    await sluice.start();
    await importLine(sluice, "before");
    const { redisPid } = sluice;
    await sluice.end("SIGKILL");
    expect(isProcessAlive(redisPid)).toBe(true);

    await sluice.start();

    expect(isProcessAlive(redisPid)).toBe(false);
    expect(await listIds(sluice)).toEqual(["before"]);
  });

  it("refuses, in one line, a data folder that is in use", async () => {
    const sluice = newSluice();
    await sluice.start();
    const second = newSluice({ SLUICE_DATA_DIR: sluice.dataDir });

    await expect(second.start()).rejects.toThrow(/ended with 1: sluice: the data folder \S+ is in use .*\n$/);
    expect((await runSluice(sluice, ["list"])).exitCode).toBe(0);
  });

  it.each(["SLUICE_HTTP_PORT", "SLUICE_GRPC_PORT"])("refuses, in one line, a port in use: %s", async (variable) => {
    const holder = createServer().listen(0, "127.0.0.1");
    await once(holder, "listening");
    const address = holder.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const sluice = newSluice({ [variable]: String(port) });

    await expect(sluice.start()).rejects.toThrow(new RegExp(`ended with 1: sluice: .*${port}.*${variable}.*\n$`));
    holder.close();
  });

  it("refuses, in a line each, all variables that make no sense", async () => {
    const sluice = newSluice({ SLUICE_HTTP_PORT: "many", SLUICE_LOG_LEVEL: "loud", SLUICE_HOST: "0.0.0.0" });

    const failure = sluice.start();

    await expect(failure).rejects.toThrow(/SLUICE_HTTP_PORT/);
    await expect(failure).rejects.toThrow(/SLUICE_LOG_LEVEL/);
    await expect(failure).rejects.toThrow(/ended with 1/);
  });

  it("refuses, in one line, a Redis that cannot start", async () => {
    const sluice = newSluice({ SLUICE_REDIS_SERVER: "/nowhere/redis-server" });

    await expect(sluice.start()).rejects.toThrow(/ended with 1: sluice: .*SLUICE_REDIS_SERVER.*\n$/);
  });

  it("warns of an unknown variable, with the nearest known name", async () => {
    const sluice = newSluice({ SLUICE_GPRC_PORT: "1" });
    await sluice.start();

    expect(sluice.log).toMatch(/SLUICE_GPRC_PORT.*SLUICE_GRPC_PORT/);
  });
});

describe("sluice serve with SLUICE_REDIS_URL", () => {
  async function newRedis(args: readonly string[] = []): Promise<TestRedis> {
    const redis = new TestRedis({ args });
    open.push(redis);
    await redis.start();
    return redis;
  }

  it("uses that Redis, and warns that it may lose what it acknowledged", async () => {
    const redis = await newRedis();
    const sluice = newSluice({ SLUICE_REDIS_URL: redis.socketPath });
    await sluice.start();

    await importLine(sluice, "there");

    expect(await redis.connect().xlen("sluice:1:{dev}:events")).toBe(1);
    expect(sluice.log).toMatch(/"level":40.*appendonly/);
    expect(await sluice.end()).toBe(0);
    expect(isProcessAlive(redis.pid)).toBe(true);
  });

  it("refuses one that may evict events", async () => {
    const redis = await newRedis(["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]);
    const sluice = newSluice({ SLUICE_REDIS_URL: redis.socketPath });

    await expect(sluice.start()).rejects.toThrow(/ended with 1: sluice: .*maxmemory-policy/);
  });
});
