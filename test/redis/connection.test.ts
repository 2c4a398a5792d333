import { once } from "node:events";
import { createServer, createConnection as dial, type Server, type Socket } from "node:net";
import { join } from "node:path";
import type { Redis } from "ioredis";
import { afterEach, describe, expect, it } from "vitest";
import { StartError } from "../../src/domain/start-error.ts";
import {
  blockMsMax,
  createBlockingConnection,
  createReadConnection,
  createWriteConnection,
  waitUntilReady,
} from "../../src/redis/connection.ts";
import { describeRedisAddress, parseRedisAddress } from "../../src/redis/redis-address.ts";
import { captureLog } from "../support/captured-log.ts";
import { TestRedis, useRedis } from "../support/use-redis.ts";
import { waitUntil } from "../support/wait-until.ts";

const server = useRedis({ isDurable: true });
const opened: Redis[] = [];

afterEach(() => {
  for (const redis of opened.splice(0)) redis.disconnect();
});

function open(create: typeof createWriteConnection, address = server.socketPath, { logger } = captureLog()): Redis {
  const redis = create(address, logger);
  opened.push(redis);
  return redis;
}

async function openReady(create: typeof createWriteConnection, address?: string, log = captureLog()): Promise<Redis> {
  const redis = open(create, address, log);
  await waitUntilReady(redis, 10_000);
  return redis;
}

/** Stands between a connection and Redis; can swallow a reply, and hang up instead. */
async function startProxy(): Promise<{ path: string; loseNextReply(): void; close(): Promise<void> }> {
  let isLosing = false;
  const sockets = new Set<Socket>();
  const proxy: Server = createServer((client) => {
    const upstream = dial(server.socketPath);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => {});
    }
    client.pipe(upstream);
    upstream.on("data", (chunk) => {
      if (isLosing) client.destroy();
      else client.write(chunk);
      isLosing = false;
    });
    client.on("close", () => upstream.destroy());
    upstream.on("close", () => client.destroy());
  });
  const path = join(server.folder, "proxy.sock");
  proxy.listen(path);
  await once(proxy, "listening");
  return {
    path,
    loseNextReply() {
      isLosing = true;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      proxy.close();
      await once(proxy, "close");
    },
  };
}

describe("createWriteConnection", () => {
  it("has the settings with which no write is sent twice", () => {
    expect(open(createWriteConnection).options).toMatchObject({
      protocol: 2,
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      enableOfflineQueue: false,
      commandTimeout: 2_000,
      socketTimeout: 5_000,
      connectTimeout: 2_000,
      enableReadyCheck: true,
      keepAlive: 10_000,
      stringNumbers: false,
      lazyConnect: true,
    });
  });

  it("rejects a command whose reply was lost, and does not send it again", async () => {
    const proxy = await startProxy();
    const redis = await openReady(createWriteConnection, proxy.path);
    proxy.loseNextReply();

    await expect(redis.xadd("events", "*", "e", "1")).rejects.toThrow();

    await waitUntilReady(redis, 10_000);
    expect(await redis.xlen("events")).toBe(1);
    redis.disconnect();
    await proxy.close();
  });

  it("rejects a command in flight when Redis dies, and does not send it to the next one", async () => {
    const redis = await openReady(createWriteConnection);
    server.pause();
    const appended = redis.xadd("events", "*", "e", "1");
    const rejected = expect(appended).rejects.toThrow();

    await server.restart();
    await rejected;

    await waitUntilReady(redis, 10_000);
    expect(await redis.xlen("events")).toBe(0);
  });

  it("fails at once while Redis is away", async () => {
    const redis = await openReady(createWriteConnection);
    await server.kill();
    await waitUntil(() => redis.status !== "ready");

    await expect(redis.set("a", "b")).rejects.toThrow(/isn't writeable/);
  });

  it("finds what was acknowledged when Redis is back", async () => {
    const redis = await openReady(createWriteConnection);
    await redis.set("a", "b");
    await server.restart();
    await waitUntil(() => redis.status !== "ready");

    await waitUntilReady(redis, 10_000);

    expect(await redis.get("a")).toBe("b");
  });

  it("logs that Redis was lost once, and that it is back once, whatever the number of attempts", async () => {
    const log = captureLog();
    const redis = await openReady(createWriteConnection, server.socketPath, log);
    let attempts = 0;
    redis.on("reconnecting", () => {
      attempts += 1;
    });
    await server.kill();
    await waitUntil(() => attempts >= 3);
    await server.start();
    await waitUntilReady(redis, 10_000);

    await waitUntil(() => log.lines.length >= 2);

    expect(log.lines).toHaveLength(2);
    expect(log.lines[0]).toContain('"connection":"write"');
    expect(log.lines[0]).toContain("connection to Redis lost");
    expect(log.lines[1]).toContain("connection to Redis is back");
  });

  it("logs nothing when it is closed by us", async () => {
    const log = captureLog();
    const redis = await openReady(createWriteConnection, server.socketPath, log);
    const end = once(redis, "end");

    redis.disconnect();
    await end;

    expect(log.lines).toEqual([]);
  });
});

describe("createReadConnection", () => {
  it("sends a command again whose reply was lost", async () => {
    const proxy = await startProxy();
    const redis = await openReady(createReadConnection, proxy.path);
    await redis.set("a", "b");
    proxy.loseNextReply();

    expect(await redis.get("a")).toBe("b");

    redis.disconnect();
    await proxy.close();
  });

  it("waits for a Redis that restarts, though not for ever", async () => {
    const redis = await openReady(createReadConnection);
    await redis.set("a", "b");
    await server.kill();
    await waitUntil(() => redis.status !== "ready");
    const read = redis.get("a");

    await server.start();

    expect(await read).toBe("b");
    expect(redis.options).toMatchObject({ commandTimeout: 2_000, maxRetriesPerRequest: 4 });
  });
});

describe("createBlockingConnection", () => {
  it("gives a command time to block, and a link that is dead up", () => {
    const { options } = open(createBlockingConnection);

    expect(options.commandTimeout).toBeUndefined();
    expect(options.socketTimeout).toBeGreaterThan(blockMsMax);
    expect(options).toMatchObject({ maxRetriesPerRequest: 0, autoResendUnfulfilledCommands: false });
  });

  it("rejects a command that blocks when Redis dies, and can be used again when it is back", async () => {
    const redis = await openReady(createBlockingConnection);
    const blocked = expect(redis.xread("BLOCK", blockMsMax, "STREAMS", "events", "0")).rejects.toThrow();

    await server.restart();
    await blocked;

    await waitUntilReady(redis, 10_000);
    expect(await redis.xread("BLOCK", 1, "STREAMS", "events", "0")).toBeNull();
  });
});

describe("waitUntilReady", () => {
  it("says which Redis does not answer, and why, without its password", async () => {
    const redis = open(createWriteConnection, "redis://shop:s3cret@127.0.0.1:1/2");

    await expect(waitUntilReady(redis, 300)).rejects.toThrow(
      new StartError(
        "Redis at redis://shop:***@127.0.0.1:1/2 does not answer (connect ECONNREFUSED 127.0.0.1:1): " +
          "start it, or correct SLUICE_REDIS_URL",
      ),
    );
  });

  it("does not wait when the password is missing", async () => {
    const guarded = new TestRedis({ args: ["--requirepass", "s3cret"] });
    await guarded.start();
    const redis = open(createWriteConnection, guarded.socketPath);

    await expect(waitUntilReady(redis, 10_000)).rejects.toThrow(/does not answer \(NOAUTH Authentication required/);

    await guarded.remove();
  });

  it("waits for a Redis that starts later", async () => {
    await server.kill();
    const redis = open(createWriteConnection);
    const ready = waitUntilReady(redis, 10_000);

    await server.start();
    await ready;

    expect(await redis.ping()).toBe("PONG");
  });
});

describe("parseRedisAddress", () => {
  it.each([
    ["/run/redis.sock", { path: "/run/redis.sock" }, "/run/redis.sock"],
    ["redis://cache", { host: "cache", port: 6379 }, "redis://cache:6379"],
    ["redis://cache:6380/2", { host: "cache", port: 6380, db: 2 }, "redis://cache:6380/2"],
    ["redis://[::1]:6380/", { host: "::1", port: 6380 }, "redis://[::1]:6380"],
    ["redis://:p%40ss@cache", { host: "cache", port: 6379, password: "p@ss" }, "redis://:***@cache:6379"],
    [
      "rediss://shop:pass@cache:6380",
      { host: "cache", port: 6380, username: "shop", password: "pass", tls: {} },
      "rediss://shop:***@cache:6380",
    ],
  ])("reads %s", (address, target, shown) => {
    expect(parseRedisAddress(address)).toEqual(target);
    expect(describeRedisAddress(parseRedisAddress(address))).toBe(shown);
  });

  it.each([
    "",
    "cache:6379",
    "redis.sock",
    "http://cache:6379",
    "redis://",
    "redis://:s3cret%@cache",
    "redis://cache/events",
    "redis://cache?maxRetriesPerRequest=20",
  ])("refuses %j without repeating it", (address) => {
    expect(() => parseRedisAddress(address)).toThrow(StartError);
    expect(() => parseRedisAddress(address)).toThrow(/^SLUICE_REDIS_URL is neither [^?%3]*$/);
  });
});
