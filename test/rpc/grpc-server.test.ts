import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import type { Socket } from "node:net";
import { connect } from "node:net";
import { Client, credentials, status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { StartError } from "../../src/domain/start-error.ts";
import { encodeEvent } from "../support/events.ts";
import { call, frame, openCall } from "../support/raw-grpc.ts";
import { useGrpcServers } from "../support/use-grpc-server.ts";
import { waitUntil } from "../support/wait-until.ts";
import { field } from "../support/wire-fields.ts";

const startServer = useGrpcServers();
const message = frame(field(1, encodeEvent({ id: "a", name: "click" })));

function dial(port: number): Socket {
  return connect(port, "127.0.0.1")
    .on("error", () => {})
    .resume();
}

/** Resolves when a socket is closed, whether by an error or not. */
function closeOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

describe("a connection", () => {
  const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

  it.each([
    ["that sends nothing", ""],
    ["that sends PRI alone", "PRI"],
    ["that stops a byte short of the preface", preface.slice(0, -1)],
  ])("%s is ended", async (_, sent) => {
    const { port } = await startServer({ limits: { prefaceTimeoutMs: 20 } });
    const socket = dial(port);
    socket.write(sent);

    await closeOf(socket);
  });

  it.each([
    ["HTTP/1.1", "GET / HTTP/1.1\r\nHost: [\r\n\r\n"],
    ["HTTP/1.0 without Host", "POST /sluice.v1.EventService/Track HTTP/1.0\r\n\r\n"],
    ["TLS", "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003".padEnd(64, "\u0001")],
    ["garbage", "\u0000".repeat(200)],
    ["garbage after the preface", `${preface}${"\u00ff".repeat(200)}`],
  ])("that speaks %s is ended, and costs no other", async (_, sent) => {
    const { port } = await startServer();
    const socket = dial(port);
    socket.write(Buffer.from(sent, "latin1"));

    await closeOf(socket);
    expect(await call(port, "Track", message)).toMatchObject({ code: status.OK });
  });

  it("that is reset in the middle of a call costs no other", async () => {
    const { port, log } = await startServer();
    log.hold();
    const { session, stream } = openCall(port, "Track");
    stream.end(message);
    await waitUntil(() => log.appends.length > 0);
    session.socket.resetAndDestroy?.();
    session.destroy();
    log.release();

    expect(await call(port, "Track", message)).toMatchObject({ code: status.OK });
  });

  it("without a call is ended", async () => {
    const { port } = await startServer({ limits: { idleTimeoutMs: 20 } });
    const session = connectHttp2(`http://127.0.0.1:${port}`);

    await once(session, "close");
  });

  it("whose calls have ended is ended", async () => {
    const { port } = await startServer({ limits: { idleTimeoutMs: 20 } });
    const { session, stream, end } = openCall(port, "Track");
    const closed = once(session, "close");
    stream.end(message);

    await Promise.all([end, closed]);
  });

  it("that does not answer whether it is still there is ended", async () => {
    const { port } = await startServer({ limits: { keepaliveTimeMs: 20, keepaliveTimeoutMs: 20 } });
    const socket = dial(port);
    // The preface, and settings that change nothing; pings are left unanswered.
    socket.write(Buffer.concat([Buffer.from(preface), Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])]));

    await closeOf(socket);
  });

  it("over the number that is allowed is closed at once", async () => {
    const { port } = await startServer({ limits: { connections: 1 } });
    const first = connectHttp2(`http://127.0.0.1:${port}`);
    await once(first, "connect");
    const second = dial(port);

    await closeOf(second);
    expect(first.closed).toBe(false);
    first.destroy();
  });
});

describe("GrpcServer.close", () => {
  it("lets a call in flight finish, and takes no new ones", async () => {
    const server = await startServer();
    server.log.hold();
    const { stream, end } = openCall(server.port, "Track");
    stream.end(message);
    await waitUntil(() => server.log.appends.length > 0);

    let isClosed = false;
    const closed = server.close(60_000).then(() => {
      isClosed = true;
    });
    await closeOf(dial(server.port));
    expect(isClosed).toBe(false);
    server.log.release();

    expect(await end).toMatchObject({ code: status.OK });
    await closed;
  });

  it("refuses a new call on a connection that was open", async () => {
    const server = await startServer();
    server.log.hold();
    const { session, stream, end } = openCall(server.port, "Track");
    stream.end(message);
    await waitUntil(() => server.log.appends.length > 0);

    const closed = server.close(60_000);
    await once(session, "goaway");
    const late = session.request({ ":path": "/sluice.v1.EventService/Track" });
    await expect(once(late, "response")).rejects.toThrow("GOAWAY");
    server.log.release();
    await Promise.all([end, closed]);
  });

  it("ends what has not finished after the grace time", async () => {
    const server = await startServer();
    server.log.hold();
    const { stream, end } = openCall(server.port, "Track");
    stream.end(message);
    await waitUntil(() => server.log.appends.length > 0);

    await server.close(20);

    await expect(end).rejects.toThrow("without a response");
    await waitUntil(() => server.log.appends[0]?.options.signal?.aborted);
    server.log.release();
  });

  it("does not wait for connections that are idle or silent", async () => {
    const server = await startServer();
    const client = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure());
    await new Promise<void>((resolve, reject) => {
      client.waitForReady(Date.now() + 10_000, (error) => (error ? reject(error) : resolve()));
    });
    const silent = dial(server.port);
    await once(silent, "connect");

    await server.close(60_000);

    client.close();
    silent.destroy();
  });

  it("may be called when nobody was ever connected", async () => {
    await (await startServer()).close(60_000);
  });
});

describe("startGrpcServer", () => {
  it("throws a StartError that names the port in use and its variable", async () => {
    const { port } = await startServer();
    const second = startServer({ port });

    await expect(second).rejects.toThrow(StartError);
    await expect(second).rejects.toThrow(`port 127.0.0.1:${port} is in use`);
    await expect(second).rejects.toThrow("SLUICE_GRPC_PORT");
  });

  it("throws a StartError that names the variable when the port cannot be had", async () => {
    const invalid = startServer({ host: "192.0.2.1" });

    await expect(invalid).rejects.toThrow(StartError);
    await expect(invalid).rejects.toThrow("cannot listen on 192.0.2.1:0 (SLUICE_HOST)");
  });
});
