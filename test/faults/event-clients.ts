import type { Client, Interceptor, Transport } from "@connectrpc/connect";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { EventService } from "../../gen/sluice/v1/event_service_pb.ts";
import type { SluiceProcess } from "../support/sluice-process.ts";

export type EventClient = Client<typeof EventService>;

/** A client for each way to call Sluice. */
export interface EventClients {
  /** To :50051. */
  readonly grpc: EventClient;
  /** To :8080, as gRPC speaks there. */
  readonly grpcOverHttp: EventClient;
  /** To :8080, over HTTP/2. */
  readonly connect: EventClient;
  /** To :8080, over HTTP/1.1. */
  readonly connectHttp1: EventClient;
}

/** Clients of a server that runs; after a restart it has other ports. */
export function createEventClients(sluice: SluiceProcess): EventClients {
  const authorize: Interceptor = (next) => (request) => {
    request.header.set("authorization", `Bearer ${sluice.key}`);
    return next(request);
  };
  const [grpcUrl, httpUrl] = [`http://${sluice.grpcAddress}`, `http://${sluice.httpAddress}`];
  const interceptors = [authorize];
  const clientOver = (transport: Transport) => createClient(EventService, transport);
  return {
    grpc: clientOver(createGrpcTransport({ baseUrl: grpcUrl, interceptors })),
    grpcOverHttp: clientOver(createGrpcTransport({ baseUrl: httpUrl, interceptors })),
    connect: clientOver(createConnectTransport({ baseUrl: httpUrl, httpVersion: "2", interceptors })),
    connectHttp1: clientOver(createConnectTransport({ baseUrl: httpUrl, httpVersion: "1.1", interceptors })),
  };
}
