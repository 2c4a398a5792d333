import { describe, expect, it } from "vitest";
import { embeddedRedisMemoryBytes } from "../../../src/redis/embedded/embedded-redis-config.ts";
import { parseInfo } from "../../../src/redis/redis-info.ts";
import { useEmbeddedRedis } from "../../support/use-embedded-redis.ts";

const bench = useEmbeddedRedis();

describe("createEmbeddedRedisConfig", () => {
  it("keeps on disk what was acknowledged, and evicts nothing", async () => {
    const redis = await bench.startConnected();

    const settings = await redis.call("CONFIG", "GET", "append*", "*-on-rewrite", "save", "shutdown-on-sigterm");

    expect(settings).toEqual(expect.arrayContaining(["yes", "always", "no", "3600 1", "nosave"]));
    const memory = parseInfo(await redis.info("memory"));
    expect(memory.get("maxmemory_policy")).toBe("noeviction");
    expect(memory.get("maxmemory")).toBe(String(embeddedRedisMemoryBytes()));
  });

  it("forbids what empties, blocks or reconfigures it", async () => {
    const redis = await bench.startConnected();
    await redis.set("a", "b");

    for (const command of [
      ["FLUSHALL"],
      ["FLUSHDB"],
      ["SWAPDB", "0", "1"],
      ["KEYS", "*"],
      ["DEBUG", "SLEEP", "0"],
      ["CONFIG", "SET", "appendonly", "no"],
      ["ACL", "SETUSER", "default", "+@all"],
      ["REPLICAOF", "127.0.0.1", "6379"],
      ["EVAL", "return redis.call('FLUSHALL')", "0"],
    ]) {
      await expect(redis.call(command[0] ?? "", ...command.slice(1))).rejects.toThrow(/NOPERM|not allowed|can't run/);
    }
    expect(await redis.get("a")).toBe("b");
  });

  it("takes less than 20 bytes of memory for an event beyond its own", async () => {
    const redis = await bench.startConnected();
    const usedMemory = async () => Number(parseInfo(await redis.info("memory")).get("used_memory"));
    const eventCount = 20_000;
    const fill = `
      local bytes = 0
      for i = 1, ARGV[1] do
        local size = 200 + i * 37 % 261
        redis.call('XADD', KEYS[1], '*', '', string.rep('e', size))
        bytes = bytes + size
      end
      return bytes`;

    const bytes = Number(await redis.eval(fill, 1, "events", eventCount));

    const full = await usedMemory();
    await redis.del("events");
    expect((full - (await usedMemory()) - bytes) / eventCount).toBeLessThan(20);
  });

  it("allows scripts, streams, and what an operator looks at", async () => {
    const redis = await bench.startConnected();

    await redis.eval("return redis.call('XADD', KEYS[1], '*', 'e', ARGV[1])", 1, "events", "x");
    expect(await redis.xlen("events")).toBe(1);
    expect(await redis.script("LOAD", "return 1")).toHaveLength(40);
    expect(await redis.slowlog("GET")).toEqual([]);
    expect(await redis.client("LIST")).toContain("redis.sock");
  });
});

describe("embeddedRedisMemoryBytes", () => {
  it.each([
    ["there is no limit", 0, 1_000, 600],
    ["the limit is more than there is", 2 ** 64, 1_000, 600],
    ["the limit is less than there is", 500, 1_000, 300],
  ])("is 60 %% of what may be used when %s", (_, limitBytes, totalBytes, expected) => {
    expect(embeddedRedisMemoryBytes(limitBytes, totalBytes)).toBe(expected);
  });
});
