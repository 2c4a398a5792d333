import type { AddressInfo, Socket } from "node:net";
import { createServer } from "node:net";
import type { DescService } from "@bufbuild/protobuf";
import { toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type { ServiceDefinition } from "@grpc/grpc-js";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { HealthImplementation } from "grpc-health-check";
import { ServerReflection as ServerReflectionV1 } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionV1Alpha } from "../../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { Health } from "../../gen/health/v1/health_pb.ts";
import { EventService } from "../../gen/sluice/v1/event_service_pb.ts";
import type { CallLog } from "../call-log.ts";
import type { Access } from "../domain/access.ts";
import { callLimits } from "../domain/event.ts";
import type { ServingStatus } from "../domain/ports.ts";
import { StartError } from "../domain/start-error.ts";
import { toFileDescriptorSet } from "./contract-files.ts";
import type { EventHandlers } from "./event-service.ts";
import { createGrpcInterceptor } from "./grpc-call.ts";
import { createGrpcMethods } from "./grpc-methods.ts";

export interface GrpcServerOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly handlers: EventHandlers;
  readonly access: Access;
  readonly callLog: CallLog;
  readonly serving: ServingStatus;
  readonly limits?: Partial<GrpcServerLimits>;
}

export interface GrpcServerLimits {
  /** Connections at a time; more are closed at once. Default 10,000. */
  readonly connections: number;
  /** How long a connection may take to send HTTP/2's preface. Default 10 s. */
  readonly prefaceTimeoutMs: number;
  /** How long a unary call may take to send its message. Default 10 s. */
  readonly messageTimeoutMs: number;
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
  prefaceTimeoutMs: 10_000,
  messageTimeoutMs: 10_000,
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
  const methods = createGrpcMethods(options.handlers);
  const { access, callLog } = options;
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
  addEventService(server);
  const unsubscribe = addHealth(server, options.serving);
  reflectedServices().addToServer(server);

  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const sockets = new Set<Socket>();
  const listener = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    endWithoutPreface(socket, limits.prefaceTimeoutMs);
    injector.injectConnection(socket);
  });
  listener.maxConnections = limits.connections;
  const port = await listen(listener, options);

  return {
    port,
    async close(graceMs) {
      unsubscribe();
      const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
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

/** grpc-js wants handlers for its methods, but the interceptor answers before them. Messages stay bytes. */
function addEventService(server: Server): void {
  const identity = (bytes: Buffer) => bytes;
  const definition: ServiceDefinition = Object.fromEntries(
    EventService.methods.map((method) => [
      method.localName,
      {
        path: `/${EventService.typeName}/${method.name}`,
        requestStream: method.methodKind === "client_streaming",
        responseStream: false,
        requestSerialize: identity,
        requestDeserialize: identity,
        responseSerialize: identity,
        responseDeserialize: identity,
      },
    ]),
  );
  server.addService(
    definition,
    Object.fromEntries(EventService.methods.map((method) => [method.localName, unreachable])),
  );
}

function unreachable(): void {
  throw new Error("the interceptor answers every call of EventService");
}

function addHealth(server: Server, serving: ServingStatus): () => void {
  const health = new HealthImplementation();
  const setStatus = (isServing: boolean) => {
    for (const name of ["", EventService.typeName]) health.setStatus(name, isServing ? "SERVING" : "NOT_SERVING");
  };
  setStatus(serving.isServing());
  health.addToServer(server);
  return serving.subscribe(setStatus);
}

/** What a caller without the contract can ask for. From our own descriptors: proto-loader would merge files of one package. */
function reflectedServices(): ReflectionService {
  const services: DescService[] = [EventService, Health, ServerReflectionV1, ServerReflectionV1Alpha];
  const { file: files } = toFileDescriptorSet(services.map((service) => service.file));
  const fileDescriptorProtos = files.map((file) => Buffer.from(toBinary(FileDescriptorProtoSchema, file)));
  // Of a definition, reflection reads the descriptors only.
  const definition = { format: "Protocol Buffer 3 EnumDescriptorProto" as const, type: {}, fileDescriptorProtos };
  return new ReflectionService({ files: definition }, { services: services.map((service) => service.typeName) });
}

const prefaceBytes = 24;

function endWithoutPreface(socket: Socket, timeoutMs: number): void {
  socket.on("error", () => socket.destroy());
  const timer = setTimeout(() => {
    if (socket.bytesRead < prefaceBytes) socket.destroy();
  }, timeoutMs);
  socket.once("close", () => clearTimeout(timer));
}

async function listen(listener: ReturnType<typeof createServer>, options: GrpcServerOptions): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    listener.once("error", (error: NodeJS.ErrnoException) => {
      const place = `${options.host}:${options.port}`;
      const why = error.code === "EADDRINUSE" ? "is in use: stop what listens there, or set SLUICE_GRPC_PORT" : "";
      reject(new StartError(why === "" ? `cannot listen on ${place}: ${error.message}` : `port ${place} ${why}`));
    });
    listener.listen(options.port, options.host, resolve);
  });
  const address: AddressInfo | string | null = listener.address();
  if (address === null || typeof address === "string") throw new Error("a TCP listener has an address and a port");
  return address.port;
}
