import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { constants, createServer as createHttp2Server } from "node:http2";
import type { Socket } from "node:net";
import { createServer } from "node:net";
import type { DescMethod } from "@bufbuild/protobuf";
import { bindPort } from "../bind-port.ts";
import type { CallLog } from "../call-log.ts";
import type { Access } from "../domain/access.ts";
import type { ServingStatus } from "../domain/ports.ts";
import { createTlsGate } from "../tls/tls-gate.ts";
import type { TlsIdentity } from "../tls/tls-identity.ts";
import { messageBytesMaxOf } from "./connect-methods.ts";
import type { EventHandlers } from "./event-service.ts";
import type { GrpcCallDeps, ServedGrpcMethod } from "./grpc-call.ts";
import { GrpcCall } from "./grpc-call.ts";
import type { GrpcMethod } from "./grpc-methods.ts";
import { createGrpcMethods } from "./grpc-methods.ts";
import type { OpenGrpcMethod } from "./grpc-open-methods.ts";
import { createOpenGrpcMethods } from "./grpc-open-methods.ts";
import type { GrpcSessions } from "./grpc-sessions.ts";
import { createGrpcSessions } from "./grpc-sessions.ts";
import { GrpcStream, type GrpcStreamOptions } from "./grpc-stream.ts";
import { guardTails } from "./guard-tails.ts";
import { LastingCalls } from "./lasting-calls.ts";
import { createOpenCallLimit } from "./open-call-limit.ts";
import { reflectedServices } from "./reflection-answer.ts";
import { rpcCodes } from "./rpc-error.ts";

export interface GrpcServerOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly handlers: EventHandlers;
  readonly access: Access;
  readonly callLog: CallLog;
  readonly serving: ServingStatus;
  /** With it, only connections over TLS are taken. */
  readonly tls?: TlsIdentity | undefined;
  readonly limits?: Partial<GrpcServerLimits>;
}

export interface GrpcServerLimits {
  /** Connections at a time; more are closed at once. Default 10,000. */
  readonly connections: number;
  /** How long a TLS handshake may take. Default 10 s. */
  readonly handshakeMs: number;
  /** How long a connection may take to send HTTP/2's preface, once a TLS handshake is done. Default 10 s. */
  readonly prefaceTimeoutMs: number;
  /** How long a call of one message may take to send it. Default 10 s. */
  readonly messageTimeoutMs: number;
  /** How long a caller may leave an answer untaken. Default 60 s. */
  readonly stallMs: number;
  /** Calls of Watch and reflection at a time, which need no key. Default 1,000. */
  readonly openCalls: number;
  /** Tails at a time. Default 10,000. */
  readonly tails: number;
  /** How long a caller of reflection may keep silent. Default 60 s. */
  readonly reflectionIdleMs: number;
  /** How long a connection may have no call. Default 5 min. */
  readonly idleTimeoutMs: number;
  /** How often a silent peer is asked whether it is still there, and how long it may take to answer. Default 30 s, 10 s. */
  readonly keepaliveTimeMs: number;
  readonly keepaliveTimeoutMs: number;
  /** How old a connection may become, give or take a tenth, so that balancers can move it. Default 30 min. */
  readonly connectionAgeMs: number;
  /** How long its calls may go on after that. Default 5 min. */
  readonly connectionAgeGraceMs: number;
}

const limitDefaults: GrpcServerLimits = {
  connections: 10_000,
  handshakeMs: 10_000,
  prefaceTimeoutMs: 10_000,
  messageTimeoutMs: 10_000,
  stallMs: 60_000,
  openCalls: 1000,
  tails: 10_000,
  reflectionIdleMs: 60_000,
  idleTimeoutMs: 5 * 60_000,
  keepaliveTimeMs: 30_000,
  keepaliveTimeoutMs: 10_000,
  connectionAgeMs: 30 * 60_000,
  connectionAgeGraceMs: 5 * 60_000,
};

/** A gRPC server that listens. */
export interface GrpcServer {
  readonly port: number;
  /** Takes no more connections and calls, lets those in flight finish, and ends all after the grace time. */
  close(graceMs: number): Promise<void>;
}

/** Serves EventService, health and reflection over gRPC, the last two without a key. Throws StartError for a port in use. */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const limits = { ...limitDefaults, ...options.limits };
  const shutdown = new AbortController();
  const { access, callLog, handlers, serving, tls } = options;
  const { messageTimeoutMs, stallMs } = limits;
  const lasting = new LastingCalls(Math.min(lastingMs, stallMs, messageTimeoutMs));
  const methods = toServed(stallMs, lasting, [
    ...createGrpcMethods(guardTails(handlers, limits.tails)),
    ...createOpenGrpcMethods({
      serving,
      shutdown: shutdown.signal,
      idleMs: limits.reflectionIdleMs,
      openCalls: createOpenCallLimit(limits.openCalls),
    }),
  ]);
  const sessions = createGrpcSessions(limits);
  const server = createHttp2Server({
    // In MB.
    maxSessionMemory: 64,
    settings: { maxConcurrentStreams: 256 },
  });
  server.on("session", sessions.add);
  const refusedOptions = { messageBytesMax: 0, mayCompress: false, stallMs, lasting };
  const deps = { access, callLog, messageTimeoutMs, lasting };
  const serveStream = createStreamHandler({ methods, sessions, refusedOptions, ...deps });
  server.on("stream", serveStream);
  const sockets = new Set<Socket>();
  const serve = (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    endWithoutPreface(socket, limits.prefaceTimeoutMs);
    server.emit("connection", socket);
  };
  const gate =
    tls && createTlsGate({ identity: tls, protocols: ["h2"], handshakeMs: limits.handshakeMs, onSocket: serve });
  const listener = gate?.server ?? createServer({ noDelay: true }, serve);
  listener.maxConnections = limits.connections;
  const port = await bindPort(listener, { ...options, variable: "SLUICE_GRPC_PORT" });
  // A connection that cannot be accepted, for want of file descriptors perhaps, costs no other.
  listener.on("error", () => {});

  return {
    port,
    async close(graceMs) {
      shutdown.abort();
      const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
      gate?.shut();
      sessions.closeAll();
      const timer = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, graceMs);
      await closed;
      clearTimeout(timer);
    },
  };
}

interface StreamHandlerDeps extends GrpcCallDeps {
  readonly methods: ReadonlyMap<string, ServedGrpcMethod>;
  readonly sessions: Pick<GrpcSessions, "enter">;
  /** For streams that become no call. */
  readonly refusedOptions: GrpcStreamOptions;
}

/** After so long at most, a call has timers. */
const lastingMs = 1000;

/** Serves each HTTP/2 stream as the call that its headers ask for. */
function createStreamHandler({ methods, sessions, refusedOptions, ...deps }: StreamHandlerDeps) {
  return (stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void => {
    const path = headers[":path"] ?? "";
    const method = methods.get(path);
    const options = method?.streamOptions ?? refusedOptions;
    const messages = new GrpcStream(stream, headers, options, sessions.enter(stream.session));
    const isGrpc = headers["content-type"]?.startsWith("application/grpc") ?? false;
    const isPost = headers[":method"] === constants.HTTP2_METHOD_POST;
    if (isGrpc && isPost && method !== undefined) {
      const call = new GrpcCall(method, messages, deps);
      messages.owner = call;
      void call.run(headers);
      return;
    }
    deps.callLog.record({ method: method?.name ?? "unknown", entrance: "grpc", code: "UNIMPLEMENTED", durationMs: 0 });
    if (!isPost) messages.refuse(constants.HTTP_STATUS_METHOD_NOT_ALLOWED);
    else if (!isGrpc) messages.refuse(constants.HTTP_STATUS_UNSUPPORTED_MEDIA_TYPE);
    else messages.end({ code: rpcCodes.UNIMPLEMENTED, message: `there is no method ${path.slice(0, 200)}` });
  };
}

/** Methods by path. */
function toServed(
  stallMs: number,
  lasting: LastingCalls,
  methods: readonly (GrpcMethod | OpenGrpcMethod)[],
): Map<string, ServedGrpcMethod> {
  const bytesMax = new Map(allMethods.map((method) => [pathOf(method), messageBytesMaxOf(method)]));
  return new Map(
    methods.map((method) => {
      const messageBytesMax = bytesMax.get(method.path) ?? 0;
      const mayCompress = !method.kind.startsWith("open");
      return [method.path, { ...method, streamOptions: { messageBytesMax, mayCompress, stallMs, lasting } }];
    }),
  );
}

const allMethods: readonly DescMethod[] = reflectedServices.flatMap((service) => service.methods);

function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

const prefaceBytes = 24;

function endWithoutPreface(socket: Socket, timeoutMs: number): void {
  socket.on("error", () => socket.destroy());
  const timer = setTimeout(() => {
    if (socket.bytesRead < prefaceBytes) socket.destroy();
  }, timeoutMs);
  socket.once("close", () => clearTimeout(timer));
}
