import { once } from "node:events";
import { createServer, type IncomingMessage, request as sendRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkAnnounced, collectBody } from "../../src/rpc/connect-unary-body.ts";
import { useCrashWatch } from "../support/use-crash-watch.ts";

useCrashWatch();

const bytesMax = 100_000;
const server = createServer((request, response) => {
  collect(request).then(
    (body) => response.end(body),
    (thrown) => response.writeHead(500).end(String(thrown.reason)),
  );
});
beforeAll(() => once(server.listen(0, "127.0.0.1"), "listening"));
afterAll(() => server.close());

const collect = (request: IncomingMessage) =>
  new Promise<Uint8Array>((resolve, reject) => {
    checkAnnounced(request, bytesMax);
    collectBody(request, bytesMax, resolve, reject);
  });

/** Sends a body in chunks of a size, one after the other. */
async function send(body: Buffer, chunkBytes: number): Promise<Buffer> {
  const { port } = server.address() as AddressInfo;
  const request = sendRequest({ port, method: "POST", agent: false });
  const answered = once(request, "response");
  for (let at = 0; at < body.length; at += chunkBytes) {
    await new Promise((resolve) => request.write(body.subarray(at, at + chunkBytes), resolve));
  }
  request.end();
  const [response] = await answered;
  return Buffer.concat(await response.toArray());
}

describe("collectBody", () => {
  it.each([
    [0, 1],
    [1, 1],
    [300, 300],
    [2000, 1],
    [5000, 7],
    [bytesMax, 30_000],
    [bytesMax, bytesMax],
  ])("hands on a body of %i bytes in chunks of %i", async (bytes, chunkBytes) => {
    const body = Buffer.from(Array.from({ length: bytes }, (_, i) => i % 251));

    expect((await send(body, chunkBytes)).equals(body)).toBe(true);
  });

  it.each([1000, bytesMax + 1])("refuses a byte too many in chunks of %i", async (chunkBytes) => {
    expect((await send(Buffer.alloc(bytesMax + 1), chunkBytes)).toString()).toBe("TOO_LARGE");
  });

  it("refuses a byte too many that is only announced", async () => {
    const request = sendRequest({
      port: (server.address() as AddressInfo).port,
      method: "POST",
      headers: { "content-length": String(bytesMax + 1) },
      agent: false,
    });
    request.on("error", () => {}).flushHeaders();

    const [response] = await once(request, "response");

    expect(Buffer.concat(await response.toArray()).toString()).toBe("TOO_LARGE");
    request.destroy();
  });
});
