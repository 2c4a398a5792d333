import type { Server, Socket } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import type { TlsIdentity } from "./tls-identity.ts";

/** A server to listen with, of which only connections over TLS come out. */
export interface TlsGate {
  readonly server: Server;
  /** Ends the connections that are still in their handshake, and lets no more through. Those that are through stay. */
  shut(): void;
}

export interface TlsGateOptions {
  readonly identity: TlsIdentity;
  /** For ALPN. A peer that asks for others only is refused; one that does not ask is let in. */
  readonly protocols: readonly string[];
  /** For the handshake, in milliseconds. */
  readonly handshakeMs: number;
  /** Gets each connection once its handshake is done, and its peer has the certificate that it needs. */
  onSocket(socket: TLSSocket): void;
}

/**
 * Takes connections over TLS 1.2 and later, and closes all others before anyone has seen a byte of them. Renewed
 * certificates hold for new connections; those that are there, and the server's port, are not touched.
 */
export function createTlsGate({ identity, protocols, handshakeMs, onSocket }: TlsGateOptions): TlsGate {
  const handshakes = new Map<string, { readonly socket: Socket; readonly timer: NodeJS.Timeout }>();
  let isShut = false;
  const server = createServer({
    ALPNProtocols: [...protocols],
    requestCert: identity.isClientCertificateRequired,
    rejectUnauthorized: identity.isClientCertificateRequired,
    noDelay: true,
  });
  // Session tickets are of one context: who loses its CA cannot resume either.
  const unsubscribe = identity.subscribe((context) => server.setSecureContext(context));
  server.once("close", unsubscribe);

  // Node does not tell which of these connections a TLSSocket is over.
  server.on("connection", (socket) => {
    if (isShut) socket.destroy();
    const peer = peerOf(socket);
    // Node's own limit only tells of the time, and leaves the connection open.
    const timer = setTimeout(() => {
      identity.onRefusal("TIMEOUT");
      socket.destroy();
    }, handshakeMs);
    handshakes.set(peer, { socket, timer });
    socket.once("close", () => {
      clearTimeout(timer);
      if (handshakes.get(peer)?.socket === socket) handshakes.delete(peer);
    });
  });
  server.on("tlsClientError", ({ code }: NodeJS.ErrnoException, { authorizationError }) => {
    // A connection that just ended, as that of a probe, or one ended here, fails with this too.
    const fault = authorizationError ?? (code === "ECONNRESET" ? undefined : code);
    if (fault !== undefined) identity.onRefusal(String(fault));
  });
  server.on("secureConnection", (socket) => {
    const peer = peerOf(socket);
    clearTimeout(handshakes.get(peer)?.timer);
    handshakes.delete(peer);
    // Whoever gets it may be late to listen.
    socket.on("error", () => socket.destroy());
    if (isShut) socket.destroy();
    else onSocket(socket);
  });

  return {
    server,
    shut() {
      isShut = true;
      for (const { socket } of handshakes.values()) socket.destroy();
    },
  };
}

function peerOf({ localAddress, localPort, remoteAddress, remotePort }: Socket): string {
  return [localAddress, localPort, remoteAddress, remotePort].join(" ");
}
