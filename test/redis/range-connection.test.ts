import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { createServer } from "node:tls";
import { describe, expect, it, onTestFinished } from "vitest";
import { createRangeConnection, type RangeConnection } from "../../src/redis/range-connection.ts";
import type { RedisTarget } from "../../src/redis/redis-address.ts";
import { createTestCa } from "../support/certificates.ts";
import { useRedis } from "../support/use-redis.ts";
import { waitUntil } from "../support/wait-until.ts";

const redis = useRedis();

/** A connection that is up. */
async function openRanges(target: RedisTarget = { path: redis.socketPath }): Promise<RangeConnection & Disposable> {
  const ranges = createRangeConnection(target);
  await waitUntil(async () => (await ranges.send([["PING"]])) !== undefined);
  return { ...ranges, [Symbol.dispose]: () => ranges.close() };
}

describe("createRangeConnection", () => {
  it("answers each who asks, in order", async () => {
    using ranges = await openRanges();
    const client = redis.connect();
    for (let i = 0; i < 300; i++) await client.xadd("s", `1-${i + 1}`, "f", `${i}`.repeat(200));

    const counts = [300, 1, 0, 7];
    const replies = await Promise.all(
      counts.map((count) =>
        ranges.send([
          ["XRANGE", "s", "-", "+", "COUNT", count || 1],
          ["ECHO", `é${count}`],
        ]),
      ),
    );

    expect(replies.map((reply) => (Array.isArray(reply?.[0]) ? reply[0].length : reply))).toEqual([300, 1, 1, 7]);
    expect(replies.map((reply) => String(reply?.[1]))).toEqual(counts.map((count) => `é${count}`));
  });

  it("reads the same over TLS, in pieces of its own", async () => {
    const ca = createTestCa();
    const server = createServer(ca.issue(), (socket) => socket.pipe(connect(redis.socketPath)).pipe(socket));
    onTestFinished(() => void server.close());
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    using ranges = await openRanges({ host: "127.0.0.1", port, tls: { ca: ca.cert } });
    const texts = [10, 300_000, 0, 70_000, 64 << 10].map((length, i) => `${i}`.repeat(length));

    const replies = await Promise.all(texts.map((text) => ranges.send([["ECHO", text]])));

    expect(replies.map((reply) => String(reply?.[0]) === texts.shift())).not.toContain(false);
  });

  it("rejects with what Redis finds wrong, and goes on", async () => {
    using ranges = await openRanges();
    await redis.connect().set("text", "x");

    await expect(ranges.send([["XRANGE", "text", "-", "+"], ["PING"]])).rejects.toThrow(/^WRONGTYPE/);
    expect(await ranges.send([["ECHO", "on"]])).toEqual([Buffer.from("on")]);
  });

  it("says that there is no answer when there is no connection, and when it is lost", async () => {
    using nowhere = { ranges: createRangeConnection({ path: "/nowhere/r.sock" }), [Symbol.dispose]() {} };
    expect(await nowhere.ranges.send([["PING"]])).toBeUndefined();

    using ranges = await openRanges();
    redis.pause();
    const asked = ranges.send([["PING"]]);
    await redis.kill();
    redis.resume();
    expect(await asked).toBeUndefined();

    await redis.start();
    await waitUntil(async () => (await ranges.send([["PING"]])) !== undefined);
  });

  it("gives up a Redis that does not answer in time, and connects anew", { timeout: 15_000 }, async () => {
    using ranges = await openRanges();
    redis.pause();
    try {
      await expect(ranges.send([["PING"]])).rejects.toThrow("Command timed out");
    } finally {
      redis.resume();
    }
    await waitUntil(async () => (await ranges.send([["PING"]])) !== undefined);
  });

  it("shows its password, and uses its database", async () => {
    const client = redis.connect();
    await client.acl("SETUSER", "reader", "on", ">secret", "~*", "+@all");
    await client.select(3);
    await client.xadd("s", "1-1", "f", "v");
    using ranges = await openRanges({ path: redis.socketPath, username: "reader", password: "secret", db: 3 });

    expect(
      await ranges.send([
        ["ACL", "WHOAMI"],
        ["XLEN", "s"],
      ]),
    ).toEqual([Buffer.from("reader"), 1]);

    const refused = createRangeConnection({ path: redis.socketPath, username: "reader", password: "wrong" });
    expect(await refused.send([["PING"]])).toBeUndefined();
    refused.close();
  });

  it("is closed for good", async () => {
    using ranges = await openRanges();
    ranges.close();
    await waitUntil(async () => (await ranges.send([["PING"]])) === undefined);
  });
});
