import { request as requestHttp1 } from "node:http";
import { connect, constants } from "node:http2";
import type { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { SluiceError } from "../../src/domain/errors.ts";
import { cancel, data, headers as headersFrame, http2Preface } from "../support/http2-frames.ts";
import { openSocket } from "../support/open-socket.ts";
import type { RawProtocol } from "../support/raw-call.ts";
import { callRaw, envelope } from "../support/raw-call.ts";
import { lesserKeys } from "../support/test-keys.ts";
import { testKey, useHttpServer } from "../support/use-http-server.ts";
import { waitUntil } from "../support/wait-until.ts";

const server = useHttpServer({ connect: { deadlineDefaultMs: 100 }, http: { lingerMs: 50 } });

const auth = { authorization: `Bearer ${testKey}` };
const path = "/sluice.v1.EventService/TrackBatch";
/** TrackBatchRequest{events: [{name: "one"}]} */
const good = envelope(Buffer.from([0x0a, 5, 0x12, 3, 0x6f, 0x6e, 0x65]));
const bad = envelope(Buffer.from([0x0a, 0xff]));
const huge = Buffer.from([0, 0, 0x40, 0, 1]);

const streams: RawProtocol[] = [
  { name: "Connect over HTTP/1", httpVersion: 1, contentType: "application/connect+proto", isEnveloped: true },
  { name: "Connect over HTTP/2", httpVersion: 2, contentType: "application/connect+proto", isEnveloped: true },
  { name: "gRPC-Web over HTTP/1", httpVersion: 1, contentType: "application/grpc-web+proto", isEnveloped: true },
  { name: "gRPC-Web over HTTP/2", httpVersion: 2, contentType: "application/grpc-web+proto", isEnveloped: true },
  { name: "gRPC", httpVersion: 2, contentType: "application/grpc+proto", isEnveloped: true },
];

describe.each(streams)("TrackBatch, $name", (protocol) => {
  const call = (body: Uint8Array, isOpen = false) =>
    callRaw(protocol, { port: server().port, path, headers: auth, body, isOpen });

  it("takes the messages before the end", async () => {
    expect(await call(Buffer.concat([good, good, good]))).toMatchObject({ status: 200, code: "OK" });
    expect(server().handlers.calls[0]?.events).toHaveLength(3);
  });

  it.each([
    ["malformed", Buffer.concat([good, bad]), "INVALID_ARGUMENT", "MALFORMED"],
    ["cut short", Buffer.concat([good, good.subarray(0, 8)]), "INVALID_ARGUMENT", "MALFORMED"],
    ["oversized", Buffer.concat([good, huge]), "RESOURCE_EXHAUSTED", "TOO_LARGE"],
  ])("ends at a message that is %s, once the handler has those before", async (_, body, code, reason) => {
    expect(await call(body)).toMatchObject({ code, reason });
    expect(server().handlers.calls[0]?.events).toHaveLength(1);
    expect(await server().onlyRecord()).toMatchObject({ method: "TrackBatch", code, reason });
  });

  it("ends at its deadline though its handler does not", async () => {
    server().handlers.isSilent = true;
    const timeout = protocol.contentType.includes("grpc") ? { "grpc-timeout": "20m" } : { "connect-timeout-ms": "20" };

    expect(
      await callRaw(protocol, { port: server().port, path, headers: { ...auth, ...timeout }, body: good }),
    ).toMatchObject({ code: "DEADLINE_EXCEEDED", reason: "DEADLINE_EXCEEDED" });
  });

  it("is cut by a message of too many events", async () => {
    const many = envelope(Buffer.alloc(2 * 501, Buffer.from([0x0a, 0])));

    expect(await call(Buffer.concat([good, many]))).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "TOO_LARGE" });
    expect(server().handlers.calls[0]?.events).toHaveLength(1);
  });

  it("is refused to a key that lists, although no message is ever sent", async () => {
    const headers = { authorization: `Bearer ${lesserKeys.list}` };

    expect(await callRaw(protocol, { port: server().port, path, headers, isOpen: true })).toMatchObject({
      code: "PERMISSION_DENIED",
      reason: "PERMISSION_MISSING",
    });
    expect(server().handlers.calls).toEqual([]);
  });

  it("leaves the handler all the time that its caller asks for", async () => {
    await call(good);
    await callRaw(protocol, {
      port: server().port,
      path,
      headers: {
        ...auth,
        ...(protocol.contentType.includes("grpc") ? { "grpc-timeout": "1H" } : { "connect-timeout-ms": "3600000" }),
      },
      body: good,
    });

    const [first, second] = server().handlers.calls.map(({ caller }) => caller.remainingMs());
    expect(first).toBe(Number.POSITIVE_INFINITY);
    expect(second).toBeGreaterThan(3_590_000);
    expect(second).toBeLessThanOrEqual(3_600_000);
  });

  it("answers an early error though the stream goes on", async () => {
    server().handlers.failure = new SluiceError("STORAGE_UNAVAILABLE", "storage is away");

    expect(await call(good, true)).toMatchObject({ code: "UNAVAILABLE", reason: "STORAGE_UNAVAILABLE" });
  });
});

describe.each(streams)("Track, $name", (protocol) => {
  it.each([
    ["at its own deadline", { "connect-timeout-ms": "50", "grpc-timeout": "50m" }, "DEADLINE_EXCEEDED"],
    ["when it sets none, after a while", {}, "STREAM_IDLE"],
  ])("ends a call whose message never completes %s", async (_, deadline, reason) => {
    const unary = { ...protocol, contentType: protocol.contentType.replace("connect+", "") };
    const isEnveloped = unary.contentType.includes("grpc");

    const answer = await callRaw(
      { ...unary, isEnveloped },
      {
        port: server().port,
        path: "/sluice.v1.EventService/Track",
        headers: { ...auth, ...deadline },
        body: good.subarray(0, 7),
        isOpen: true,
      },
    );

    expect(answer).toMatchObject({ code: "DEADLINE_EXCEEDED", reason });
    expect(await server().onlyRecord()).toMatchObject({ code: "DEADLINE_EXCEEDED", reason });
  });
});

describe("a stream over HTTP/2", () => {
  const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc", ...auth };

  it("is closed without blame once it has its answer", async () => {
    server().handlers.failure = new SluiceError("STORAGE_UNAVAILABLE", "storage is away");
    const session = connect(server().url);
    const stream = session.request(headers);
    const trailers = new Promise((resolve) => stream.once("trailers", resolve));
    const closed = new Promise((resolve) => stream.once("close", resolve));
    stream.resume().write(good);

    expect(await trailers).toMatchObject({ "grpc-status": "14" });
    await closed;

    expect(stream.rstCode).toBe(constants.NGHTTP2_NO_ERROR);
    session.destroy();
  });

  it.each([
    ["cancels", (socket: Socket) => void socket.write(cancel(1))],
    ["breaks off", (socket: Socket) => void socket.destroy()],
  ])("is over for the handler when its caller %s", async (_, leave) => {
    const open = headersFrame(1, { ":scheme": "http", ":authority": "localhost", ...headers });
    const part = data(1, Buffer.concat([good, good.subarray(0, 8)]));
    const { socket } = await openSocket(server().port, Buffer.concat([http2Preface, open, part]));
    const call = await waitUntil(() => server().handlers.calls.find(({ events }) => events.length === 1));

    leave(socket);

    await waitUntil(() => call.caller.signal.aborted);
    expect(await server().onlyRecord()).toMatchObject({ code: "CANCELLED", reason: "CALL_ENDED" });
    socket.destroy();
  });
});

describe("a stream over HTTP/1.1", () => {
  function open() {
    const headers = { "content-type": "application/connect+proto", ...auth };
    const request = requestHttp1({ host: "127.0.0.1", port: server().port, method: "POST", path, headers });
    const closed = new Promise<void>((resolve) => request.once("close", resolve));
    request.on("error", () => {});
    return { request, closed };
  }

  it("is over for the handler when its caller breaks off", async () => {
    const { request } = open();
    request.write(Buffer.concat([good, good.subarray(0, 8)]));
    const call = await waitUntil(() => server().handlers.calls.find(({ events }) => events.length === 1));

    request.destroy();

    await waitUntil(() => call.caller.signal.aborted);
    expect(await server().onlyRecord()).toMatchObject({ code: "CANCELLED", reason: "CALL_ENDED" });
  });

  it("loses its connection once it has its answer and does not end", async () => {
    server().handlers.failure = new SluiceError("STORAGE_UNAVAILABLE", "storage is away");
    const { request, closed } = open();
    request.on("response", (response) => response.resume());
    request.write(good);

    await closed;

    expect(server().records).toMatchObject([{ code: "UNAVAILABLE" }]);
  });
});
