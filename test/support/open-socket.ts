import { connect, type Socket } from "node:net";

/** A bare connection to a port of the loopback. */
export interface OpenSocket {
  readonly socket: Socket;
  /** All that came in so far, as text. */
  received(): string;
  /** Resolves with all that came in, when the other side has closed. */
  readonly closed: Promise<string>;
}

/** Connects and sends something, if there is anything to send. */
export async function openSocket(port: number, bytes?: string | Uint8Array): Promise<OpenSocket> {
  const chunks: Buffer[] = [];
  const received = () => Buffer.concat(chunks).toString("latin1");
  const socket = connect(port, "127.0.0.1");
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.on("error", () => {});
  const closed = new Promise<string>((resolve) => socket.once("close", () => resolve(received())));
  await new Promise<void>((resolve) => socket.once("connect", resolve));
  if (bytes !== undefined) socket.write(bytes);
  return { socket, received, closed };
}
