import type { Socket } from "node:net";
import { createServer } from "node:net";
import type { DescMethod } from "@bufbuild/protobuf";
import type { ServiceDefinition } from "@grpc/grpc-js";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { bindPort } from "../bind-port.ts";
import type { CallLog } from "../call-log.ts";
import type { Access } from "../domain/access.ts";
import { callLimits } from "../domain/event.ts";
import type { ServingStatus } from "../domain/ports.ts";
import { createTlsGate } from "../tls/tls-gate.ts";
import type { TlsIdentity } from "../tls/tls-identity.ts";
import { messageBytesMaxOf } from "./connect-methods.ts";
import type { EventHandlers } from "./event-service.ts";
import type { ServedGrpcMethod } from "./grpc-call.ts";
import { createGrpcInterceptor } from "./grpc-call.ts";
import { streamSourceOf } from "./grpc-internals.ts";
import type { GrpcMethod } from "./grpc-methods.ts";
import { createGrpcMethods } from "./grpc-methods.ts";
import type { OpenGrpcMethod } from "./grpc-open-methods.ts";
import { createOpenGrpcMethods } from "./grpc-open-methods.ts";
import { guardStreams } from "./grpc-stream-guard.ts";
import { guardTails } from "./guard-tails.ts";
import { createOpenCallLimit } from "./open-call-limit.ts";
import { reflectedServices } from "./reflection-answer.ts";

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
  const methods = limitMethods([
    ...createGrpcMethods(guardTails(handlers, limits.tails)),
    ...createOpenGrpcMethods({
      serving,
      shutdown: shutdown.signal,
      idleMs: limits.reflectionIdleMs,
      openCalls: createOpenCallLimit(limits.openCalls),
    }),
  ]);
  const server = new Server({
    "grpc.max_receive_message_length": callLimits.batchMessageBytes,
    // A page ends at 3 MiB, and clients refuse more than 4.
    "grpc.max_send_message_length": 4 << 20,
    "grpc.max_concurrent_streams": 256,
    "grpc-node.max_session_memory": 64,
    "grpc.max_connection_idle_ms": limits.idleTimeoutMs,
    "grpc.max_connection_age_ms": limits.connectionAgeMs,
    "grpc.max_connection_age_grace_ms": limits.connectionAgeGraceMs,
    "grpc.keepalive_time_ms": limits.keepaliveTimeMs,
    "grpc.keepalive_timeout_ms": limits.keepaliveTimeoutMs,
    "grpc.enable_channelz": 0,
    interceptors: [createGrpcInterceptor({ methods, access, callLog, messageTimeoutMs: limits.messageTimeoutMs })],
  });
  addServices(server);

  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const streams = streamSourceOf(server);
  if (streams !== undefined) guardStreams(streams, { methods, callLog, stallMs: limits.stallMs });
  const sockets = new Set<Socket>();
  const serve = (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    endWithoutPreface(socket, limits.prefaceTimeoutMs);
    injector.injectConnection(socket);
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
      // It says that it is done while calls are still running (Node closes its sessions first), and its forceShutdown
      // knows no injected ones. So the connections tell.
      server.tryShutdown(() => {});
      const timer = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, graceMs);
      await closed;
      clearTimeout(timer);
    },
  };
}

/** Methods by path, each with the largest message that it takes. */
function limitMethods(methods: readonly (GrpcMethod | OpenGrpcMethod)[]): Map<string, ServedGrpcMethod> {
  const bytesMax = new Map(allMethods.map((method) => [pathOf(method), messageBytesMaxOf(method)]));
  return new Map(
    methods.map((method) => [method.path, { ...method, messageBytesMax: bytesMax.get(method.path) ?? 0 }]),
  );
}

const allMethods: readonly DescMethod[] = reflectedServices.flatMap((service) => service.methods);

function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/** grpc-js wants handlers for its methods, but the interceptor answers before them. Messages stay bytes. */
function addServices(server: Server): void {
  const identity = (bytes: Buffer) => bytes;
  const definition: ServiceDefinition = Object.fromEntries(
    allMethods.map((method) => [
      pathOf(method),
      {
        path: pathOf(method),
        requestStream: false,
        responseStream: false,
        requestSerialize: identity,
        requestDeserialize: identity,
        responseSerialize: identity,
        responseDeserialize: identity,
      },
    ]),
  );
  server.addService(definition, Object.fromEntries(allMethods.map((method) => [pathOf(method), unreachable])));
}

function unreachable(): void {
  throw new Error("the interceptor answers every call");
}

const prefaceBytes = 24;

function endWithoutPreface(socket: Socket, timeoutMs: number): void {
  socket.on("error", () => socket.destroy());
  const timer = setTimeout(() => {
    if (socket.bytesRead < prefaceBytes) socket.destroy();
  }, timeoutMs);
  socket.once("close", () => clearTimeout(timer));
}
