import { type ClientHttp2Session, connect } from "node:http2";
import { Agent, request } from "node:https";
import type { TLSSocket } from "node:tls";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import { EventService } from "../../gen/sluice/v1/event_service_pb.ts";
import { createTestCa } from "../support/certificates.ts";
import { createFakeTlsIdentity } from "../support/fake-tls-identity.ts";
import { data, headers, http2Preface } from "../support/http2-frames.ts";
import { openSocket } from "../support/open-socket.ts";
import { openTlsSocket } from "../support/open-tls-socket.ts";
import { useCrashWatch } from "../support/use-crash-watch.ts";
import { startTestServer, testKey, useHttpServer } from "../support/use-http-server.ts";
import { waitUntil } from "../support/wait-until.ts";

useCrashWatch();

const ca = createTestCa();
const certificate = ca.issue({ name: "first" });
const track = "/sluice.v1.EventService/Track";
const trackBatch = "/sluice.v1.EventService/TrackBatch";
const watch = "/grpc.health.v1.Health/Watch";
const authorization = `Bearer ${testKey}`;

/** A GET over HTTP/1.1. */
function get(url: string, agent: Agent): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const call = request(url, { agent }, async (response) => {
      const body = Buffer.concat(await response.toArray()).toString();
      resolve({ status: response.statusCode, body });
    });
    call.on("error", reject).end();
  });
}

/** Resolves when a session's server has said what it allows: it is served. */
async function openSession(url: string, options: { ca?: string } = { ca: ca.cert }): Promise<ClientHttp2Session> {
  const session = connect(url, options);
  session.on("error", () => {});
  await new Promise((resolve) => session.once("remoteSettings", resolve));
  return session;
}

function subjectOf(session: ClientHttp2Session): unknown {
  return (session.socket as TLSSocket).getPeerCertificate().subject.CN;
}

const bigPage = {
  events: [
    {
      bytes: Buffer.alloc(2 << 20, 0x62),
      entrance: "grpc" as const,
      assignedId: undefined,
      position: { epoch: "e".repeat(12), ms: 1, seq: 1 },
      isTimeAbsent: false,
      isTest: false,
    },
  ],
  nextPageToken: "",
};

describe("the HTTP port with TLS", () => {
  const identity = createFakeTlsIdentity(certificate);
  const server = useHttpServer({ tls: identity });

  it("serves plain routes over HTTP/1.1, several on one connection", async () => {
    const agent = new Agent({ ca: ca.cert, keepAlive: true, maxSockets: 1 });

    for (let i = 0; i < 3; i++) {
      expect(await get(`${server().url}/healthz`, agent)).toEqual({ status: 200, body: '{"status":"ok"}' });
    }

    agent.destroy();
  });

  it.each([
    ["Connect over HTTP/1.1", createConnectTransport, "1.1"],
    ["Connect over HTTP/2", createConnectTransport, "2"],
    ["gRPC", createGrpcTransport, "2"],
    ["gRPC-Web over HTTP/1.1", createGrpcWebTransport, "1.1"],
    ["gRPC-Web over HTTP/2", createGrpcWebTransport, "2"],
  ] as const)("serves %s, with large messages either way", async (_, createTransport, httpVersion) => {
    const client = createClient(
      EventService,
      createTransport({
        baseUrl: server().url,
        httpVersion,
        nodeOptions: { ca: ca.cert },
        interceptors: [
          (next) => (call) => {
            call.header.set("authorization", authorization);
            return next(call);
          },
        ],
      }),
    );
    const text = "x".repeat(20_000);
    const event = { name: "click", properties: { fields: { text: { kind: { case: "stringValue", value: text } } } } };
    const chunk = { events: Array.from({ length: 20 }, () => event) };

    const summary = await client.trackBatch(
      (async function* () {
        for (let i = 0; i < 20; i++) yield chunk;
      })(),
    );

    expect(summary.acceptedCount).toBe(400n);
    expect(server().handlers.calls[0]?.events).toHaveLength(400);
  });

  it("serves HTTP/2 to a peer that does not ask for it with ALPN no more than a refusal", async () => {
    const { closed } = await openTlsSocket(server().port, { ca: ca.cert }, http2Preface);

    expect(await closed).toContain("403");
  });

  it.each<[string, string | Buffer]>([
    ["HTTP/1.1", "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"],
    ["a call over HTTP/1.1", `POST ${track} HTTP/1.1\r\nHost: a\r\nAuthorization: ${authorization}\r\n\r\n`],
    ["HTTP/2 with prior knowledge", Buffer.concat([http2Preface, plainCall("application/json")])],
    ["gRPC", Buffer.concat([http2Preface, plainCall("application/grpc"), data(1, Buffer.alloc(5), true)])],
  ])("closes a connection that speaks %s without TLS, and serves nothing", async (_, bytes) => {
    const answer = await (await openSocket(server().port, bytes)).closed;

    // A TLS alert, if anything.
    expect(answer.length).toBeLessThanOrEqual(7);
    expect(answer).not.toContain("HTTP");
    expect(server().handlers.calls).toEqual([]);
    expect(server().records).toEqual([]);
  });

  it("goes on with a stream while new connections get a renewed certificate", async () => {
    const session = await openSession(server().url);
    const stream = session.request({
      ":method": "POST",
      ":path": trackBatch,
      authorization,
      "content-type": "application/connect+json",
    });
    let answer = "";
    stream.setEncoding("utf8").on("data", (text) => {
      answer += text;
    });
    stream.write(jsonMessage({ events: [{ name: "before" }] }));
    await waitUntil(() => server().handlers.calls[0]?.events.length === 1);

    identity.renew(ca.issue({ name: "second" }));
    const later = await openSession(server().url);
    stream.end(jsonMessage({ events: [{ name: "after" }] }));
    await new Promise((resolve) => stream.once("close", resolve));

    expect([subjectOf(session), subjectOf(later)]).toEqual(["first", "second"]);
    expect(answer).toContain('"acceptedCount":"2"');
    session.close();
    later.close();
  });
});

describe("the HTTP port with TLS and a client CA", () => {
  const clients = createTestCa("Clients");
  const client = clients.issue();
  const server = useHttpServer({ tls: createFakeTlsIdentity(certificate, clients) });

  it.each([
    ["without a certificate", undefined],
    ["with one of another CA", createTestCa("Clients").issue()],
  ])("serves nothing to a client %s", async (_, own) => {
    await expect(get(`${server().url}/healthz`, new Agent({ ca: ca.cert, ...own }))).rejects.toThrow();

    const session = connect(server().url, { ca: ca.cert, ...own });
    let isServed = false;
    session.once("remoteSettings", () => {
      isServed = true;
    });
    session.on("error", () => {});
    await waitUntil(() => session.destroyed);
    expect(isServed).toBe(false);
  });

  it("serves a client with one of it", async () => {
    expect(await get(`${server().url}/healthz`, new Agent({ ca: ca.cert, ...client }))).toMatchObject({
      status: 200,
    });
    (await openSession(server().url, { ca: ca.cert, ...client })).close();
  });
});

describe("a connection over TLS that", () => {
  const server = useHttpServer({
    tls: createFakeTlsIdentity(certificate),
    http: {
      firstBytesMs: 20,
      headersMs: 20,
      keepAliveMs: 20,
      stallMs: 60,
      lingerMs: 20,
      sessionIdleMs: 60,
      pingMs: 20,
    },
    connect: { deadlineDefaultMs: 20 },
  });

  it.each<[string, string | Buffer | undefined]>([
    ["sends nothing", undefined],
    ["sends a part of HTTP/2's preface", "PRI"],
    ["sends HTTP/2's preface and nothing more", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ["sends a part of a request line", "GET /hea"],
    ["sends a part of its headers", "GET /healthz HTTP/1.1\r\nHost: a\r\nX: "],
    ["has an answer and sends nothing more", "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"],
    ["has a session and sends nothing more", http2Preface],
    ["posts to no path and never ends its body", "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"],
    [
      "stalls in a stream",
      `POST ${trackBatch} HTTP/1.1\r\nHost: a\r\nAuthorization: ${authorization}\r\nContent-Type: application/connect+json\r\nTransfer-Encoding: chunked\r\n\r\n`,
    ],
    ["stalls in a unary call over HTTP/2", Buffer.concat([http2Preface, plainCall("application/grpc")])],
    [
      "does not answer pings while it has a call",
      Buffer.concat([http2Preface, plainCall("application/grpc", watch), data(1, Buffer.alloc(5), true)]),
    ],
    ["speaks TLS within TLS", Buffer.from([0x16, 3, 1, 0, 5])],
    ["speaks no HTTP", "\x00\x01\x02\r\n\r\n"],
  ])("%s is closed", async (_, bytes) => {
    const { closed } = await openTlsSocket(server().port, { ca: ca.cert, ALPNProtocols: ["h2"] }, bytes);

    await closed;
  });
});

describe("a connection over TLS", () => {
  const server = useHttpServer({ tls: createFakeTlsIdentity(certificate), http: { firstBytesMs: 20 } });

  it("is kept longer than its first bytes may take, even if they came with its handshake", async () => {
    const { socket, received } = await openTlsSocket(server().port, { ca: ca.cert }, "GET /healthz HTTP/1.1\r\n");
    await (await openTlsSocket(server().port, { ca: ca.cert })).closed;

    socket.write("Host: a\r\n\r\n");

    await waitUntil(() => received().includes("200 OK"));
    socket.destroy();
  });
});

describe("an answer over TLS that its caller does not take", () => {
  const server = useHttpServer({ tls: createFakeTlsIdentity(certificate), http: { stallMs: 100 } });

  it("is given up over HTTP/2", async () => {
    server().handlers.page = bigPage;
    const session = connect(server().url, { ca: ca.cert, settings: { initialWindowSize: 0 } });
    session.on("error", () => {});
    const stream = session.request({
      ":method": "POST",
      ":path": "/sluice.v1.EventService/ListEvents",
      "content-type": "application/proto",
      authorization,
    });
    stream.on("error", () => {});
    stream.end();

    await new Promise((resolve) => stream.once("close", resolve));

    expect(await server().onlyRecord()).toMatchObject({ method: "ListEvents", reason: "CALL_ENDED" });
    session.destroy();
  });

  it("is given up over HTTP/1.1", async () => {
    server().handlers.page = bigPage;
    const { socket, closed } = await openTlsSocket(server().port, { ca: ca.cert });
    socket.pause();
    const call = `POST /sluice.v1.EventService/ListEvents HTTP/1.1\r\nHost: a\r\nAuthorization: ${authorization}\r\nContent-Type: application/proto\r\nContent-Length: 0\r\n\r\n`;
    // One answer may fit into what the system holds for a connection.
    socket.write(call.repeat(16));

    await waitUntil(() => server().records.some(({ reason }) => reason === "CALL_ENDED"));
    socket.resume();
    await closed;
  });
});

describe("close, with TLS", () => {
  it("ends idle connections, those that have said nothing, and those in their handshake", async () => {
    const server = await startTestServer({ tls: createFakeTlsIdentity(certificate) });
    const session = await openSession(server.url);
    const agent = new Agent({ ca: ca.cert, keepAlive: true });
    await get(`${server.url}/healthz`, agent);
    const silent = await openTlsSocket(server.port, { ca: ca.cert });
    const handshake = await openSocket(server.port, Buffer.from([0x16, 3, 1, 0, 5]));

    await server.close(60_000);

    await silent.closed;
    await handshake.closed;
    await waitUntil(() => session.closed);
    agent.destroy();
  });

  it("lets calls in flight finish", async () => {
    const server = await startTestServer({ tls: createFakeTlsIdentity(certificate) });
    const session = await openSession(server.url);
    const stream = session
      .request({ ":method": "POST", ":path": track, authorization, "content-type": "application/json" })
      .setEncoding("utf8");
    let text = "";
    stream.on("data", (part) => {
      text += part;
    });
    stream.write("{");
    await new Promise<void>((resolve) => session.ping(() => resolve()));

    const closed = server.close(60_000);
    await new Promise((resolve) => session.once("goaway", resolve));
    stream.end(`"event":{"name":"a"}}`);
    await closed;

    expect(JSON.parse(text)).toMatchObject({ id: "a" });
  });

  it("ends all at the end of the grace time", async () => {
    const server = await startTestServer({ tls: createFakeTlsIdentity(certificate) });
    const session = await openSession(server.url);
    const stream = session.request({
      ":method": "POST",
      ":path": track,
      authorization,
      "content-type": "application/json",
    });
    stream.on("error", () => {});
    stream.write("{");
    await new Promise<void>((resolve) => session.ping(() => resolve()));

    await server.close(1);

    await waitUntil(() => session.destroyed);
  });
});

function plainCall(contentType: string, path = track): Buffer {
  return headers(1, {
    ":method": "POST",
    ":scheme": "http",
    ":authority": "localhost",
    ":path": path,
    "content-type": contentType,
    authorization,
  });
}

function jsonMessage(message: unknown): Buffer {
  const bytes = Buffer.from(JSON.stringify(message));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}
