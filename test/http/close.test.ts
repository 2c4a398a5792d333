import { Agent, get } from "node:http";
import { connect } from "node:http2";
import { describe, expect, it } from "vitest";
import { openSocket } from "../support/open-socket.ts";
import { useCrashWatch } from "../support/use-crash-watch.ts";
import { startTestServer, testKey } from "../support/use-http-server.ts";
import { waitUntil } from "../support/wait-until.ts";

useCrashWatch();

const track = {
  ":method": "POST",
  ":path": "/sluice.v1.EventService/Track",
  "content-type": "application/json",
  authorization: `Bearer ${testKey}`,
};

describe("close", () => {
  it("ends idle connections of either protocol, and those that have said nothing", async () => {
    const server = await startTestServer();
    const session = connect(server.url);
    await new Promise((resolve) => session.once("remoteSettings", resolve));
    const agent = new Agent({ keepAlive: true });
    await new Promise<void>((resolve) =>
      get(`${server.url}/healthz`, { agent }, (response) => response.resume().once("end", resolve)),
    );
    const silent = await openSocket(server.port);

    await server.close(60_000);

    await silent.closed;
    await waitUntil(() => session.closed);
    agent.destroy();
  });

  it("lets calls in flight finish, over HTTP/2", async () => {
    const server = await startTestServer();
    const session = connect(server.url);
    const stream = session.request(track).setEncoding("utf8");
    let text = "";
    stream.on("data", (part) => {
      text += part;
    });
    stream.write("{");
    await waitUntil(() => session.remoteSettings.maxConcurrentStreams === 256);
    await new Promise<void>((resolve) => session.ping(() => resolve()));

    const closed = server.close(60_000);
    await new Promise((resolve) => session.once("goaway", resolve));
    stream.end(`"event":{"name":"a"}}`);
    await closed;

    expect(JSON.parse(text)).toMatchObject({ id: "a" });
  });

  it("lets calls in flight finish, over HTTP/1.1, and then closes their connections", async () => {
    const server = await startTestServer();
    const body = `{"event":{"name":"a"}}`;
    const head = `POST ${track[":path"]} HTTP/1.1\r\nHost: a\r\nAuthorization: ${track.authorization}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`;
    const { socket, received, closed } = await openSocket(server.port, head);
    await waitUntil(() => received().includes("100 Continue"));

    const end = server.close(60_000);
    socket.write(body);
    await end;

    expect(await closed).toContain(`"id":"a"`);
  });

  it("takes no more connections", async () => {
    const server = await startTestServer();
    await server.close();

    const { promise: failed, resolve } = Promise.withResolvers<void>();
    fetch(`${server.url}/healthz`).catch(() => resolve());
    await failed;
  });

  it("ends all at the end of the grace time", async () => {
    const server = await startTestServer();
    const session = connect(server.url);
    session.on("error", () => {});
    const stream = session.request(track);
    stream.on("error", () => {});
    stream.write("{");
    const head = `POST ${track[":path"]} HTTP/1.1\r\nHost: a\r\nAuthorization: ${track.authorization}\r\nContent-Type: application/json\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n`;
    const { received, closed } = await openSocket(server.port, head);
    await waitUntil(() => received().includes("100 Continue"));
    await new Promise<void>((resolve) => session.ping(() => resolve()));

    await server.close(1);

    await closed;
    await waitUntil(() => session.destroyed);
  });
});
