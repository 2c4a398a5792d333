import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { afterEach, describe, expect, it } from "vitest";
import { createTlsGate, type TlsGateOptions } from "../../src/tls/tls-gate.ts";
import { createTestCa } from "../support/certificates.ts";
import { createFakeTlsIdentity } from "../support/fake-tls-identity.ts";
import { http2Preface } from "../support/http2-frames.ts";
import { openSocket } from "../support/open-socket.ts";
import { openTlsSocket } from "../support/open-tls-socket.ts";
import { useCrashWatch } from "../support/use-crash-watch.ts";
import { waitUntil } from "../support/wait-until.ts";

useCrashWatch();

const ca = createTestCa();
const certificate = ca.issue({ name: "first" });
const trust = { ca: ca.cert, ALPNProtocols: ["h2"] };

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A gate on a free port, behind which every byte is sent back. */
async function openGate(change: Partial<TlsGateOptions> = {}) {
  const sockets: TLSSocket[] = [];
  const gate = createTlsGate({
    identity: createFakeTlsIdentity(certificate),
    protocols: ["h2", "http/1.1"],
    handshakeMs: 60_000,
    onSocket(socket) {
      sockets.push(socket);
      socket.pipe(socket);
    },
    ...change,
  });
  gate.server.listen(0, "127.0.0.1");
  await once(gate.server, "listening");
  const connections = () => new Promise<number>((resolve) => gate.server.getConnections((_, n) => resolve(n)));
  closers.push(() => {
    gate.shut();
    for (const socket of sockets) socket.destroy();
    gate.server.close();
  });
  return { ...gate, sockets, connections, port: (gate.server.address() as AddressInfo).port };
}

/** The error with which a server ends a handshake, or the connection right after it. */
async function refusalOf(port: number, options: ConnectionOptions): Promise<string | undefined> {
  const socket = connect({ port, host: "127.0.0.1", ...options });
  const refusal = new Promise<string | undefined>((resolve) => {
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code));
    socket.once("close", () => resolve(undefined));
  });
  return refusal.finally(() => socket.destroy());
}

describe("a TLS gate", () => {
  it.each(["TLSv1.2", "TLSv1.3"] as const)("hands on what comes over %s", async (version) => {
    const { port, sockets } = await openGate();

    const { socket, received } = await openTlsSocket(port, { ...trust, maxVersion: version }, "hello");

    await waitUntil(() => received() === "hello");
    expect(socket.getProtocol()).toBe(version);
    expect(socket.alpnProtocol).toBe("h2");
    expect(sockets).toHaveLength(1);
  });

  it.each<[string, string | Buffer]>([
    ["HTTP/1.1", "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"],
    ["HTTP/2 with prior knowledge", http2Preface],
    ["garbage", "\x00\x01\x02\r\n\r\n"],
  ])("closes a connection that speaks %s, and hands nothing on", async (_, bytes) => {
    const { port, sockets } = await openGate();

    const answer = await (await openSocket(port, bytes)).closed;

    expect(answer).not.toContain("HTTP");
    // A TLS alert, if anything.
    expect(answer.length).toBeLessThanOrEqual(7);
    expect(sockets).toEqual([]);
  });

  it("refuses TLS 1.1", async () => {
    const { port, sockets } = await openGate();
    const old = { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "ALL@SECLEVEL=0" } as const;

    expect(await refusalOf(port, { ...trust, ...old })).toBe("ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION");
    expect(sockets).toEqual([]);
  });

  it("refuses a peer that asks for other protocols only", async () => {
    const { port, sockets } = await openGate();

    expect(await refusalOf(port, { ca: ca.cert, ALPNProtocols: ["smtp"] })).toBe(
      "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL",
    );
    expect(sockets).toEqual([]);
  });

  it.each([
    ["sends nothing", undefined],
    ["sends a part of a hello", Buffer.from([0x16, 3, 1, 0, 5])],
  ])("closes a connection that %s", async (_, bytes) => {
    const { port } = await openGate({ handshakeMs: 20 });

    await (await openSocket(port, bytes)).closed;
  });

  it("closes a connection whose handshake goes on, byte after byte", async () => {
    const { port } = await openGate({ handshakeMs: 100 });
    const { socket, closed } = await openSocket(port, Buffer.from([0x16, 3, 1, 0x20, 0]));
    const timer = setInterval(() => socket.write(Buffer.from([1])), 5);

    await closed.finally(() => clearInterval(timer));
  });

  it("tells of handshakes that fail, by a code, and not of those who just leave", async () => {
    const identity = createFakeTlsIdentity(certificate);
    const { port, connections } = await openGate({ identity, handshakeMs: 200 });
    (await openSocket(port)).socket.destroy();
    (await openSocket(port, Buffer.from([0x16, 3, 1]))).socket.destroy();
    await waitUntil(async () => (await connections()) === 0);

    await (await openSocket(port, "GET / HTTP/1.1\r\n\r\n")).closed;
    await (await openSocket(port)).closed;
    await (await openSocket(port, Buffer.from([0x16, 3, 1]))).closed;

    expect(identity.refusals).toEqual(["ERR_SSL_HTTP_REQUEST", "TIMEOUT", "TIMEOUT"]);
  });

  it("keeps a connection that is through for longer than a handshake may take", async () => {
    const { port } = await openGate({ handshakeMs: 100 });
    const through = await openTlsSocket(port, trust);
    await (await openSocket(port)).closed;

    through.socket.write("still here");

    await waitUntil(() => through.received() === "still here");
  });

  it("counts connections in their handshake among those of the limit", async () => {
    const { port, server } = await openGate();
    server.maxConnections = 1;
    await openSocket(port);

    await (await openSocket(port)).closed;
  });

  it("ends the connections in their handshake when it is shut, lets no more through, and keeps the others", async () => {
    const { port, shut, server, connections, sockets } = await openGate();
    const through = await openTlsSocket(port, trust);
    const pending = await openSocket(port, Buffer.from([0x16, 3, 1]));
    await waitUntil(async () => (await connections()) === 2);

    shut();

    await pending.closed;
    await (await openSocket(port)).closed;
    through.socket.write("still here");
    await waitUntil(() => through.received() === "still here");
    const closed = once(server, "close");
    server.close();
    through.socket.destroy();
    await closed;
    expect(sockets).toHaveLength(1);
  });

  it("shows a renewed certificate to new connections, and keeps those that are there", async () => {
    const identity = createFakeTlsIdentity(certificate);
    const { port } = await openGate({ identity });
    const before = await openTlsSocket(port, trust);

    identity.renew(ca.issue({ name: "second" }));
    const after = await openTlsSocket(port, trust, "new");

    expect(before.socket.getPeerCertificate().subject.CN).toBe("first");
    expect(after.socket.getPeerCertificate().subject.CN).toBe("second");
    before.socket.write("old");
    await waitUntil(() => before.received() === "old" && after.received() === "new");
  });
});

describe("a TLS gate with a client CA", () => {
  const clients = createTestCa("Clients");
  const client = clients.issue({ name: "client" });

  it("lets in who has a certificate of it", async () => {
    const { port, sockets } = await openGate({ identity: createFakeTlsIdentity(certificate, clients) });

    const { received } = await openTlsSocket(port, { ...trust, ...client }, "hello");

    await waitUntil(() => received() === "hello");
    expect(sockets[0]?.getPeerCertificate().subject.CN).toBe("client");
  });

  it.each([
    ["none", undefined],
    ["one of another CA of that name", createTestCa("Clients").issue()],
    ["one of the server's CA", ca.issue()],
    ["one that has expired", clients.issue({ days: -1 })],
  ])("refuses who has %s", async (_, certificates) => {
    const { port, sockets } = await openGate({ identity: createFakeTlsIdentity(certificate, clients) });

    for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
      await refusalOf(port, { ...trust, ...certificates, maxVersion });
    }

    expect(sockets).toEqual([]);
  });

  it.each([
    ["none", undefined, "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE"],
    ["one of the server's CA", ca.issue(), "SELF_SIGNED_CERT_IN_CHAIN"],
    ["one that has expired", clients.issue({ days: -1 }), "CERT_HAS_EXPIRED"],
  ])("tells of who has %s", async (_, certificates, code) => {
    const identity = createFakeTlsIdentity(certificate, clients);
    const { port } = await openGate({ identity });

    await refusalOf(port, { ...trust, ...certificates });

    await waitUntil(() => identity.refusals.length > 0);
    expect(identity.refusals).toEqual([code]);
  });

  it("does not let a session go on that began before its CA was exchanged", async () => {
    const identity = createFakeTlsIdentity(certificate, clients);
    const { port, sockets } = await openGate({ identity });
    const first = await openTlsSocket(port, { ...trust, ...client });
    const [session] = await once(first.socket, "session");
    const resumed = await openTlsSocket(port, { ...trust, ...client, session });
    expect(resumed.socket.isSessionReused()).toBe(true);

    identity.renew(certificate);

    const { socket } = await openTlsSocket(port, { ...trust, ...client, session });
    expect(socket.isSessionReused()).toBe(false);
    await waitUntil(() => sockets.length === 3);
  });
});
