import { afterEach, describe, expect, it } from "vitest";
import { StartError } from "../../src/domain/start-error.ts";
import { checkRedis, type RedisToCheck } from "../../src/redis/check-redis.ts";
import { TestRedis, type TestRedisOptions } from "../support/use-redis.ts";

const running: TestRedis[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((redis) => redis.remove()));
});

async function startRedis(options: TestRedisOptions) {
  const redis = new TestRedis(options);
  running.push(redis);
  await redis.start();
  return redis.connect();
}

const fsync = (policy: string) => ["--appendfsync", policy];

describe("checkRedis", () => {
  it("has nothing to say about a durable Redis", async () => {
    expect(await checkRedis(await startRedis({ isDurable: true }))).toEqual([]);
  });

  it("warns of a Redis without an append-only file", async () => {
    expect(await checkRedis(await startRedis({}))).toEqual([expect.stringContaining("keeps no append-only file")]);
  });

  it("warns of a Redis that writes to disk now and then", async () => {
    const redis = await startRedis({ isDurable: true, args: fsync("everysec") });

    expect(await checkRedis(redis)).toEqual([expect.stringContaining("has appendfsync everysec")]);
  });

  it("warns, where CONFIG is forbidden, that it cannot see appendfsync", async () => {
    const redis = await startRedis({ isDurable: true });
    await redis.call("ACL", "SETUSER", "default", "-config");

    expect(await checkRedis(redis)).toEqual([expect.stringContaining("does not tell whether")]);
  });

  it("sees, where CONFIG is forbidden, that there is no append-only file", async () => {
    const redis = await startRedis({});
    await redis.call("ACL", "SETUSER", "default", "-config");

    expect(await checkRedis(redis)).toEqual([expect.stringContaining("keeps no append-only file")]);
  });

  it("refuses a Redis that may evict, also where CONFIG is forbidden", async () => {
    const redis = await startRedis({ args: ["--maxmemory-policy", "allkeys-lru"] });
    await redis.call("ACL", "SETUSER", "default", "-config");

    await expect(checkRedis(redis)).rejects.toThrow(
      new StartError("this Redis has maxmemory-policy allkeys-lru, so it may throw events away: set it to noeviction"),
    );
  });

  it("refuses a cluster", async () => {
    const redis = await startRedis({ args: ["--cluster-enabled", "yes"] });

    await expect(checkRedis(redis)).rejects.toThrow(/runs in cluster mode, which is not supported yet/);
  });

  it("refuses a Redis that forbids INFO", async () => {
    const redis = await startRedis({});
    await redis.call("ACL", "SETUSER", "default", "-info");

    await expect(checkRedis(redis)).rejects.toThrow(/^Redis does not answer to INFO \(NOPERM .*allow it to the user/);
  });

  it.each(["6.2.14", "5.0.7"])("refuses Redis %s", async (version) => {
    const redis: RedisToCheck = {
      info: async () => `# Server\r\nredis_version:${version}\r\nredis_mode:standalone\r\n`,
      call: async () => [],
    };

    await expect(checkRedis(redis)).rejects.toThrow(`this Redis is version ${version}, and Sluice needs 7.0 or later`);
  });
});
