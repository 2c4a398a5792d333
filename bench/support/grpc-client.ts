import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { EventService } from "../../gen/sluice/v1/event_service_pb.ts";

/** A grpc-js client that sends and receives bytes, so that coding on its side does not count. */
export interface BytesClient {
  call(method: "Track" | "ListEvents", request: Buffer): Promise<Buffer>;
  /** Sends messages until there is none, as fast as the server takes them. */
  stream(nextMessage: () => Buffer | undefined): Promise<Buffer>;
  close(): void;
}

const identity = (bytes: Buffer) => bytes;

export function createBytesClient(address: string, key: string): BytesClient {
  const client = new Client(address, credentials.createInsecure(), { "grpc-node.flow_control_window": 1 << 20 });
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${key}`);
  const pathOf = (method: string) => `/${EventService.typeName}/${method}`;
  return {
    call: (method, request) =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(pathOf(method), identity, identity, request, metadata, (error, response) =>
          error || response === undefined ? reject(error) : resolve(response),
        );
      }),
    stream: (nextMessage) =>
      new Promise((resolve, reject) => {
        const call = client.makeClientStreamRequest(
          pathOf("TrackBatch"),
          identity,
          identity,
          metadata,
          (error: Error | null, response?: Buffer) =>
            error || response === undefined ? reject(error) : resolve(response),
        );
        const send = () => {
          for (let message = nextMessage(); message !== undefined; message = nextMessage()) {
            if (!call.write(message)) return void call.once("drain", send);
          }
          call.end();
        };
        send();
      }),
    close: () => client.close(),
  };
}
