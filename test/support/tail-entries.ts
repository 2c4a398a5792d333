import { request as requestHttp1 } from "node:http";
import { connect } from "node:http2";
import type { Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterEach } from "vitest";
import type { CallRecord } from "../../src/call-log.ts";
import type { FakeEventHandlers } from "./fake-event-handlers.ts";
import { fakeEventHandlers } from "./fake-event-handlers.ts";
import { envelope } from "./raw-call.ts";
import { testKey } from "./test-keys.ts";
import { useGrpcServers } from "./use-grpc-server.ts";
import { startTestServer } from "./use-http-server.ts";

/** A port with handlers that store nothing, as far as tails are concerned. */
export interface TailPort {
  readonly port: number;
  readonly handlers: FakeEventHandlers;
  readonly records: readonly CallRecord[];
  close(graceMs: number): Promise<void>;
}

export interface TailPortLimits {
  readonly tails?: number;
  readonly stallMs?: number;
}

/** A port and a protocol over which a tail can come. */
export interface TailEntry {
  readonly name: string;
  readonly isHttp1: boolean;
  readonly contentType: string;
  readonly isJson: boolean;
  start(limits?: TailPortLimits): Promise<TailPort>;
  connect(port: number): Transport;
}

/** Every one of them; the ports are closed after each test. */
export function useTailEntries(): TailEntry[] {
  const startGrpc = useGrpcServers();
  const closers: (() => Promise<void>)[] = [];
  afterEach(async () => {
    await Promise.all(closers.splice(0).map((close) => close()));
  });

  async function startHttpPort({ tails, stallMs }: TailPortLimits = {}): Promise<TailPort> {
    const server = await startTestServer({
      ...(stallMs && { http: { stallMs } }),
      ...(tails && { connect: { tails } }),
    });
    closers.push(() => server.close(0));
    return server;
  }

  async function startGrpcPort(limits: TailPortLimits = {}): Promise<TailPort> {
    const handlers = fakeEventHandlers();
    return { ...(await startGrpc({ handlers, limits })), handlers };
  }

  const baseUrl = (port: number) => `http://127.0.0.1:${port}`;
  const grpc = {
    isHttp1: false,
    contentType: "application/grpc+proto",
    isJson: false,
    connect: (port: number) => createGrpcTransport({ baseUrl: baseUrl(port) }),
  };
  return [
    { name: "gRPC on :50051", ...grpc, start: startGrpcPort },
    { name: "gRPC on :8080", ...grpc, start: startHttpPort },
    {
      name: "gRPC-Web over HTTP/1.1",
      isHttp1: true,
      contentType: "application/grpc-web+proto",
      isJson: false,
      start: startHttpPort,
      connect: (port) => createGrpcWebTransport({ baseUrl: baseUrl(port), httpVersion: "1.1" }),
    },
    {
      name: "Connect protobuf over HTTP/2",
      isHttp1: false,
      contentType: "application/connect+proto",
      isJson: false,
      start: startHttpPort,
      connect: (port) => createConnectTransport({ baseUrl: baseUrl(port), httpVersion: "2", useBinaryFormat: true }),
    },
    {
      name: "Connect JSON over HTTP/1.1",
      isHttp1: true,
      contentType: "application/connect+json",
      isJson: true,
      start: startHttpPort,
      connect: (port) => createConnectTransport({ baseUrl: baseUrl(port), httpVersion: "1.1", useBinaryFormat: false }),
    },
  ];
}

/** Opens a tail and takes nothing of its answer. Returns what breaks it off. */
export function openUnreadTail(port: number, { isHttp1, contentType, isJson }: TailEntry): () => void {
  const path = "/sluice.v1.EventService/TailEvents";
  const headers = { "content-type": contentType, te: "trailers", authorization: `Bearer ${testKey}` };
  const body = envelope(Buffer.from(isJson ? "{}" : ""));
  if (isHttp1) {
    const request = requestHttp1({ host: "127.0.0.1", port, path, method: "POST", headers, agent: false });
    request.on("error", () => {});
    request.on("response", (response) => response.on("error", () => {}));
    request.end(body);
    return () => request.destroy();
  }
  const session = connect(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  const stream = session.request({ ":method": "POST", ":path": path, ...headers });
  stream.on("error", () => {});
  stream.end(body);
  return () => session.destroy();
}
