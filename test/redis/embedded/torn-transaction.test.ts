import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cutTornTransaction } from "../../../src/redis/embedded/torn-transaction.ts";
import { TestRedis } from "../../support/use-redis.ts";

let dataDir: string;
let logPath: string;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "sluice-torn-"));
  const folder = join(dataDir, "appendonlydir");
  mkdirSync(folder);
  const files = ["appendonly.aof.2.base.rdb seq 2 type b", "appendonly.aof.7.incr.aof seq 7 type i"];
  writeFileSync(join(folder, "appendonly.aof.manifest"), files.map((line) => `file ${line}\n`).join(""));
  logPath = join(folder, "appendonly.aof.7.incr.aof");
});

afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

function command(...words: string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("")}`;
}

const transaction = [command("MULTI"), command("XADD", "s", "1-1", "n", "x\r\n$4\r\nEXEC\r\n"), command("EXEC")].join(
  "",
);
const setting = command("SET", "a", "1");

describe("the end of an append-only file", () => {
  it("is cut to whole transactions, wherever the last one is torn", async () => {
    const whole = setting + transaction;
    for (let torn = 1; torn < transaction.length; torn++) {
      writeFileSync(logPath, whole + transaction.slice(0, torn));

      expect(await cutTornTransaction(dataDir)).toBe(torn);
      expect(readFileSync(logPath, "utf8")).toBe(whole);
    }
  });

  it("is left alone when it is whole", async () => {
    for (const content of ["", setting, transaction, transaction + setting]) {
      writeFileSync(logPath, content);

      expect(await cutTornTransaction(dataDir)).toBe(0);
      expect(readFileSync(logPath, "utf8")).toBe(content);
    }
  });

  it("is left alone when something else is wrong with it", async () => {
    for (const content of ["*1\r\n$x", `${setting}garbage`, `${transaction}\0\0\0`, `${command("MULTI")}+OK\r\n`]) {
      writeFileSync(logPath, content);

      expect(await cutTornTransaction(dataDir)).toBe(0);
      expect(readFileSync(logPath, "utf8")).toBe(content);
    }
  });

  it("is found in a file larger than what is read at a time, behind a command that is too", async () => {
    const large = command("MULTI") + command("SET", "a", "x".repeat(5 << 20)) + command("EXEC");
    writeFileSync(logPath, large + setting.repeat(200_000) + large.slice(0, -3));

    expect(await cutTornTransaction(dataDir)).toBe(large.length - 3);
  });

  it("needs no file", async () => {
    rmSync(join(dataDir, "appendonlydir"), { recursive: true });

    expect(await cutTornTransaction(dataDir)).toBe(0);
  });
});

describe("a chunk whose write was cut short", () => {
  const script = `for i = 1, 5 do redis.call("XADD", "s", "*", "n", ARGV[1] .. i) redis.call("SET", "id" .. i, "") end`;

  it("stays gone over any number of restarts of Redis, whatever is written meanwhile", async () => {
    const redis = new TestRedis({ isDurable: true });
    try {
      await redis.start();
      await redis.connect().eval(script, 0, "torn");
      await redis.kill();
      const file = join(redis.folder, "appendonlydir", "appendonly.aof.1.incr.aof");
      // In the middle of a command, which is what Redis gets wrong.
      truncateSync(file, readFileSync(file).length - 60);

      expect(await cutTornTransaction(redis.folder)).toBeGreaterThan(0);
      await redis.start();
      await redis.connect().eval(script, 0, "whole");
      await redis.restart();

      const entries = await redis.connect().xrange("s", "-", "+");
      expect(entries.map(([, [, name]]) => name)).toEqual([1, 2, 3, 4, 5].map((i) => `whole${i}`));
    } finally {
      await redis.remove();
    }
  });
});
