import { connect } from "node:http2";
import { describe, expect, it } from "vitest";
import { data, headers, http2Preface } from "../support/http2-frames.ts";
import { openSocket } from "../support/open-socket.ts";
import { testKey, useHttpServer } from "../support/use-http-server.ts";

const track = "/sluice.v1.EventService/Track";
const trackBatch = "/sluice.v1.EventService/TrackBatch";
const watch = "/grpc.health.v1.Health/Watch";

function grpcHeaders(path: string): Buffer {
  return headers(1, {
    ":method": "POST",
    ":scheme": "http",
    ":authority": "localhost",
    ":path": path,
    "content-type": "application/grpc",
    authorization: `Bearer ${testKey}`,
  });
}

describe("a connection that", () => {
  const server = useHttpServer({
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
      "stalls in the body of a unary call",
      `POST ${track} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${testKey}\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{`,
    ],
    [
      "stalls in a stream",
      `POST ${trackBatch} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${testKey}\r\nContent-Type: application/connect+json\r\nTransfer-Encoding: chunked\r\n\r\n`,
    ],
    ["stalls in the body of a unary call over HTTP/2", Buffer.concat([http2Preface, grpcHeaders(track)])],
    [
      "stalls in a stream over HTTP/2",
      Buffer.concat([http2Preface, grpcHeaders(trackBatch), data(1, Buffer.alloc(3))]),
    ],
    [
      "does not answer pings while it has a call",
      Buffer.concat([http2Preface, grpcHeaders(watch), data(1, Buffer.alloc(5), true)]),
    ],
    ["sends a TLS hello", Buffer.from([0x16, 3, 1, 0, 5])],
    ["speaks no HTTP", "\x00\x01\x02\r\n\r\n"],
  ])("%s is closed", async (_, bytes) => {
    const { closed } = await openSocket(server().port, bytes);

    await closed;
  });
});

describe("a session", () => {
  const server = useHttpServer({ http: { sessionIdleMs: 20 } });

  it("that has a call and answers pings is kept", async () => {
    const session = connect(server().url);
    const stream = session.request({ ":method": "POST", ":path": watch, "content-type": "application/grpc" });
    stream.resume();
    let pings = 0;
    session.on("ping", () => pings++);
    stream.end(Buffer.alloc(5));

    await new Promise<void>((resolve) => session.on("ping", () => pings === 3 && resolve()));

    expect(stream.closed).toBe(false);
    session.destroy();
  });
});

describe("an old session", () => {
  const server = useHttpServer({ http: { sessionAgeMs: 20 } });

  it("is asked to go, and may finish its calls", async () => {
    const session = connect(server().url);
    const stream = session.request({ ":method": "POST", ":path": watch, "content-type": "application/grpc" });
    stream.resume().end(Buffer.alloc(5));

    await new Promise((resolve) => session.once("goaway", resolve));

    expect(stream.closed).toBe(false);
    stream.close();
    await new Promise((resolve) => session.once("close", resolve));
  });
});

describe("an old session whose calls do not end", () => {
  const server = useHttpServer({ http: { sessionAgeMs: 20, sessionAgeGraceMs: 20 } });

  it("is ended after a grace time", async () => {
    const session = connect(server().url);
    session.on("error", () => {});
    const stream = session.request({ ":method": "POST", ":path": watch, "content-type": "application/grpc" });
    stream.on("error", () => {});
    stream.resume().end(Buffer.alloc(5));

    await new Promise((resolve) => session.once("close", resolve));

    expect(await server().onlyRecord()).toMatchObject({ method: "Watch", reason: "CALL_ENDED" });
  });
});

describe("an answer that its caller does not take", () => {
  const server = useHttpServer({ http: { stallMs: 100 } });

  it("is given up", async () => {
    const big = { bytes: Buffer.alloc(2 << 20, 0x62), entrance: "grpc" as const, assignedId: undefined };
    const position = { epoch: "e".repeat(12), ms: 1, seq: 1 };
    server().handlers.page = { events: [{ ...big, position, isTimeAbsent: false, isTest: false }], nextPageToken: "" };
    const session = connect(server().url, { settings: { initialWindowSize: 0 } });
    session.on("error", () => {});
    const stream = session.request({
      ":method": "POST",
      ":path": "/sluice.v1.EventService/ListEvents",
      "content-type": "application/proto",
      authorization: `Bearer ${testKey}`,
    });
    stream.on("error", () => {});
    stream.end();

    await new Promise((resolve) => stream.once("close", resolve));

    expect(await server().onlyRecord()).toMatchObject({ method: "ListEvents", reason: "CALL_ENDED" });
    session.destroy();
  });
});

describe("connections", () => {
  const server = useHttpServer({ http: { connections: 1 } });

  it("over the limit are closed at once", async () => {
    const first = await openSocket(server().port);
    const second = await openSocket(server().port);

    await second.closed;

    first.socket.write("GET /healthz HTTP/1.0\r\nHost: a\r\n\r\n");
    expect(await first.closed).toContain("200 OK");
  });
});
