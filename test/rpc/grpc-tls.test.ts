import { once } from "node:events";
import { connect } from "node:http2";
import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { afterEach, describe, expect, it } from "vitest";
import { createTestCa } from "../support/certificates.ts";
import { encodeEvent } from "../support/events.ts";
import { createFakeTlsIdentity } from "../support/fake-tls-identity.ts";
import { data, headers, http2Preface } from "../support/http2-frames.ts";
import { openSocket } from "../support/open-socket.ts";
import { openTlsSocket } from "../support/open-tls-socket.ts";
import { testKey, useGrpcServers } from "../support/use-grpc-server.ts";
import { waitUntil } from "../support/wait-until.ts";
import { field } from "../support/wire-fields.ts";

const startServer = useGrpcServers();
const ca = createTestCa();
const certificate = ca.issue({ name: "first" });
const trust = { ca: ca.cert, ALPNProtocols: ["h2"] };
const path = "/sluice.v1.EventService/";
const request = field(1, encodeEvent({ id: "a", name: "click" }));

const clients: Client[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

/** A grpc-js client that trusts the CA and may show a certificate. */
function createClient(port: number, own?: { readonly cert: string; readonly key: string }): Client {
  const [key, cert] = [own?.key, own?.cert].map((pem) => (pem === undefined ? null : Buffer.from(pem)));
  const client = new Client(`127.0.0.1:${port}`, credentials.createSsl(Buffer.from(ca.cert), key, cert), {
    "grpc.use_local_subchannel_pool": 1,
    "grpc.ssl_target_name_override": "localhost",
  });
  clients.push(client);
  return client;
}

const metadata = new Metadata();
metadata.set("authorization", `Bearer ${testKey}`);
const bytes = (message: Buffer) => message;

function track(client: Client): Promise<number> {
  return new Promise((resolve) => {
    client.makeUnaryRequest(`${path}Track`, bytes, bytes, Buffer.from(request), metadata, (error) =>
      resolve(error?.code ?? status.OK),
    );
  });
}

function openBatch(client: Client) {
  const { promise: end, resolve } = Promise.withResolvers<number>();
  const call = client.makeClientStreamRequest(
    `${path}TrackBatch`,
    bytes,
    bytes,
    metadata,
    (error: ServiceError | null) => resolve(error?.code ?? status.OK),
  );
  call.on("error", () => {});
  return { call, end };
}

describe("the gRPC port with TLS", () => {
  it("serves unary calls and streams, with large messages", async () => {
    const { port, log } = await startServer({ tls: createFakeTlsIdentity(certificate) });
    const client = createClient(port);
    expect(await track(client)).toBe(status.OK);

    const { call, end } = openBatch(client);
    for (let i = 0; i < 50; i++) {
      const events = Array.from({ length: 20 }, (_, j) =>
        field(1, encodeEvent({ id: `${i}-${j}`, name: "x".repeat(64), identities: { user: "u".repeat(200) } })),
      );
      call.write(Buffer.concat(events));
    }
    call.end();

    expect(await end).toBe(status.OK);
    expect(log.appends.flatMap(({ events }) => events)).toHaveLength(1001);
  });

  it.each<[string, string | Buffer]>([
    ["gRPC", Buffer.concat([http2Preface, plainCall(), data(1, frameOf(request), true)])],
    ["HTTP/1.1", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"],
    ["garbage", "\x00".repeat(200)],
  ])("closes a connection that speaks %s without TLS, and serves nothing", async (_, sent) => {
    const { port, log, records } = await startServer({ tls: createFakeTlsIdentity(certificate) });

    const answer = await (await openSocket(port, sent)).closed;

    // A TLS alert, if anything.
    expect(answer.length).toBeLessThanOrEqual(7);
    expect([...log.appends, ...records]).toEqual([]);
  });

  it("serves no client that does not use TLS", async () => {
    const { port, records } = await startServer({ tls: createFakeTlsIdentity(certificate) });
    const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    clients.push(client);

    expect(await track(client)).toBe(status.UNAVAILABLE);
    expect(records).toEqual([]);
  });

  it("serves HTTP/1.1 over TLS no more than a refusal", async () => {
    const { port } = await startServer({ tls: createFakeTlsIdentity(certificate) });

    const { closed } = await openTlsSocket(port, { ca: ca.cert }, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");

    expect(await closed).toContain("403");
  });

  it("goes on with a stream while new connections get a renewed certificate", async () => {
    const identity = createFakeTlsIdentity(certificate);
    const { port, log } = await startServer({ tls: identity });
    const { call, end } = openBatch(createClient(port));
    call.write(Buffer.from(request));
    await waitUntil(() => log.appends.length === 1);

    identity.renew(ca.issue({ name: "second" }));
    const later = await openTlsSocket(port, trust);
    expect(later.socket.getPeerCertificate().subject.CN).toBe("second");
    expect(await track(createClient(port))).toBe(status.OK);

    call.write(Buffer.from(field(1, encodeEvent({ id: "b", name: "click" }))));
    call.end();
    expect(await end).toBe(status.OK);
    later.socket.destroy();
  });

  it.each([
    ["sends nothing", ""],
    ["sends PRI alone", "PRI"],
  ])("ends a connection that %s after its handshake", async (_, sent) => {
    const { port } = await startServer({ tls: createFakeTlsIdentity(certificate), limits: { prefaceTimeoutMs: 20 } });

    await (await openTlsSocket(port, trust, sent)).closed;
  });

  it("ends a connection that stalls in its handshake", async () => {
    const { port } = await startServer({ tls: createFakeTlsIdentity(certificate), limits: { handshakeMs: 20 } });

    await (await openSocket(port, Buffer.from([0x16, 3, 1]))).closed;
  });

  it("closes connections over the limit at once", async () => {
    const { port } = await startServer({ tls: createFakeTlsIdentity(certificate), limits: { connections: 1 } });
    const first = await openTlsSocket(port, trust, http2Preface);

    await (await openSocket(port)).closed;

    await waitUntil(() => first.received() !== "");
    first.socket.destroy();
  });

  it("lets calls in flight finish when it closes, and ends connections in their handshake at once", async () => {
    const server = await startServer({ tls: createFakeTlsIdentity(certificate) });
    server.log.hold();
    const answer = track(createClient(server.port));
    await waitUntil(() => server.log.appends.length === 1);
    const handshake = await openSocket(server.port, Buffer.from([0x16, 3, 1]));

    const closed = server.close(60_000);
    await handshake.closed;
    server.log.release();

    expect(await answer).toBe(status.OK);
    await closed;
  });

  it("ends all at the end of the grace time", async () => {
    const server = await startServer({ tls: createFakeTlsIdentity(certificate) });
    server.log.hold();
    const session = connect(`https://127.0.0.1:${server.port}`, { ca: ca.cert });
    session.on("error", () => {});
    await once(session, "remoteSettings");
    const answer = track(createClient(server.port));
    await waitUntil(() => server.log.appends.length === 1);

    await server.close(1);

    // grpc-js tells a connection that is cut from one that is reset.
    expect([status.UNAVAILABLE, status.INTERNAL]).toContain(await answer);
    await waitUntil(() => session.destroyed);
    server.log.release();
  });
});

describe("the gRPC port with TLS and a client CA", () => {
  const clientCa = createTestCa("Clients");

  it("serves a client with a certificate of it", async () => {
    const { port } = await startServer({ tls: createFakeTlsIdentity(certificate, clientCa) });

    expect(await track(createClient(port, clientCa.issue()))).toBe(status.OK);
  });

  it.each([
    ["without a certificate", undefined],
    ["with one of another CA", createTestCa("Clients").issue()],
  ])("serves nothing to a client %s", async (_, own) => {
    const { port, records } = await startServer({ tls: createFakeTlsIdentity(certificate, clientCa) });

    expect(await track(createClient(port, own))).toBe(status.UNAVAILABLE);
    expect(records).toEqual([]);
  });
});

function plainCall(): Buffer {
  return headers(1, {
    ":method": "POST",
    ":scheme": "http",
    ":authority": "localhost",
    ":path": `${path}Track`,
    "content-type": "application/grpc",
    te: "trailers",
    authorization: `Bearer ${testKey}`,
  });
}

function frameOf(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
