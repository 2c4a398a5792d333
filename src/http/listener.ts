import { Server as HttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { ServerHttp2Session } from "node:http2";
import type { Server, Socket } from "node:net";
import { createServer } from "@httptoolkit/httpolyglot";
import type { Logger } from "pino";
import { bindPort } from "../bind-port.ts";
import { createTlsGate } from "../tls/tls-gate.ts";
import type { TlsIdentity } from "../tls/tls-identity.ts";
import type { ListenerLimits } from "./listener-limits.ts";
import { sessionLimits } from "./listener-limits.ts";
import { hasValidAuthority, limitRequest } from "./request-guard.ts";
import { limitSession } from "./session-limits.ts";

export interface ListenerOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly limits: ListenerLimits;
  readonly logger: Logger;
  /** With it, only connections over TLS are taken. */
  readonly tls?: TlsIdentity | undefined;
  /** Answers a request. Over HTTP/2, what it gets only looks like Node's requests and responses over HTTP/1.1. */
  onRequest(request: IncomingMessage, response: ServerResponse): void;
}

/** A port that is listened on. */
export interface Listener {
  readonly port: number;
  /** Takes no more connections and requests, lets those in flight finish, and ends all after the grace time. */
  close(graceMs: number): Promise<void>;
}

/**
 * Listens for HTTP/1.1 and HTTP/2 on one port. No peer can end it or hold on to it: each has a limited time for
 * everything, and its errors are its own. Throws StartError for a port that cannot be had.
 */
export async function listen(options: ListenerOptions): Promise<Listener> {
  const { limits, logger, tls } = options;
  const sockets = new Map<Socket, NodeJS.Timeout | undefined>();
  const sessions = new Set<ServerHttp2Session>();
  let isClosing = false;

  function serve(request: IncomingMessage, response: ServerResponse): void {
    limitRequest(request, response, limits);
    if (isClosing) response.shouldKeepAlive = false;
    response.once("finish", () => isClosing && setImmediate(closeIdle));
    try {
      if (hasValidAuthority(request)) options.onRequest(request, response);
      else refuse(response, 400);
    } catch (err) {
      logger.error({ err }, "a request failed");
      if (response.headersSent) response.destroy();
      else refuse(response, 500);
    }
  }

  const server = createServer(
    {
      http: {
        headersTimeout: limits.headersMs,
        // It would cut TrackBatch streams; `stallMs` takes its place.
        requestTimeout: 0,
        keepAliveTimeout: limits.keepAliveMs,
        maxHeaderSize: limits.headerBytes,
        connectionsCheckingInterval: Math.min(1000, limits.headersMs),
      },
      http2: {
        settings: {
          maxConcurrentStreams: sessionLimits.streams,
          initialWindowSize: sessionLimits.streamWindowBytes,
        },
        maxSessionMemory: sessionLimits.memoryMegabytes,
      },
    },
    serve,
  );
  // Otherwise Node asks for the body before anyone has looked at the key. Whoever reads the body asks for it instead.
  server.on("checkContinue", serve);

  const gate =
    tls &&
    createTlsGate({
      identity: tls,
      protocols: ["h2", "http/1.1"],
      handshakeMs: limits.handshakeMs,
      onSocket: (socket) => server.emit("connection", socket),
    });
  const front = gate?.server ?? server;
  front.maxConnections = limits.connections;

  // httpolyglot passes its listeners on to the servers inside: they see a socket once its protocol is known. That can be
  // at once for one that comes through the gate, and has to be after this one here.
  server.prependListener("connection", function (this: Server, socket: Socket) {
    clearTimeout(sockets.get(socket));
    const timer = this === server ? setTimeout(() => socket.destroy(), limits.firstBytesMs) : undefined;
    if (!sockets.has(socket)) {
      // Over HTTP/2, Nagle's algorithm would hold an answer back for as long as the peer delays its ACK: 40 ms.
      socket.setNoDelay(true);
      socket.on("error", () => socket.destroy());
      socket.once("close", () => {
        clearTimeout(sockets.get(socket));
        sockets.delete(socket);
      });
    }
    sockets.set(socket, timer);
  });
  server.on("session", (session: ServerHttp2Session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    limitSession(session, limits);
    if (isClosing) session.close();
  });
  server.on("clientError", answerBadRequest);
  server.on("sessionError", () => {});

  // Node checks time-outs only of a server that listens; this one gets its sockets from httpolyglot.
  const http1 = innerHttpServer(server);
  http1.emit("listening");
  const closeIdle = () => http1.closeIdleConnections();

  const port = await bindPort(front, { ...options, variable: "SLUICE_HTTP_PORT" });
  front.on("error", (err) => logger.error({ err }, "the HTTP listener failed"));

  return {
    port,
    async close(graceMs) {
      isClosing = true;
      const closed = new Promise<void>((resolve) => front.close(() => resolve()));
      gate?.shut();
      for (const session of sessions) session.close();
      for (const [socket, timer] of sockets) if (timer !== undefined) socket.destroy();
      closeIdle();
      const deadline = setTimeout(() => {
        for (const session of sessions) session.destroy();
        for (const socket of sockets.keys()) socket.destroy();
      }, graceMs);
      await closed;
      clearTimeout(deadline);
      // Ends its timer.
      http1.close();
    },
  };
}

function refuse(response: ServerResponse, status: number): void {
  response.statusCode = status;
  response.end();
}

const statusByError: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
};

function answerBadRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (socket.writable && error.code !== "ECONNRESET") {
    const status = statusByError[error.code ?? ""] ?? "400 Bad Request";
    socket.write(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  }
  socket.destroySoon();
}

function innerHttpServer(server: Server): HttpServer {
  const inner: unknown = Reflect.get(server, "_httpServer");
  if (!(inner instanceof HttpServer)) throw new Error("httpolyglot keeps its HTTP/1.1 server elsewhere");
  return inner;
}
