import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";

/** A connection over TLS to a port of the loopback. */
export interface OpenTlsSocket {
  readonly socket: TLSSocket;
  /** All that came in so far, as text. */
  received(): string;
  /** Resolves with all that came in, when the other side has closed. */
  readonly closed: Promise<string>;
}

/** Connects, and sends something once the handshake is done, if there is anything. Rejects when the handshake fails. */
export async function openTlsSocket(
  port: number,
  options: ConnectionOptions,
  bytes?: string | Uint8Array,
): Promise<OpenTlsSocket> {
  const chunks: Buffer[] = [];
  const received = () => Buffer.concat(chunks).toString("latin1");
  const socket = connect({ port, host: "127.0.0.1", ...options });
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  const closed = new Promise<string>((resolve) => socket.once("close", () => resolve(received())));
  await new Promise<void>((resolve, reject) => {
    socket.once("secureConnect", resolve);
    socket.once("close", () => reject(new Error("closed in the handshake")));
    socket.on("error", reject);
  });
  if (bytes !== undefined) socket.write(bytes);
  return { socket, received, closed };
}
