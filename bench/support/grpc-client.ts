import { Client, type ClientReadableStream, credentials, Metadata } from "@grpc/grpc-js";
import { EventService } from "../../gen/sluice/v1/event_service_pb.ts";

/** A grpc-js client that sends and receives bytes, so that coding on its side does not count. */
export interface BytesClient {
  call(method: "Track" | "TrackMany" | "ListEvents" | "GetEvent", request: Buffer): Promise<Buffer>;
  /**
   * Sends messages in one TrackBatch until there is none, as fast as the server takes them; with another key if given.
   */
  stream(nextMessage: () => Buffer | undefined, otherKey?: string): Promise<Buffer>;
  /** Tails until the client is closed. Resolves once the tail has begun; rejects when it does not. */
  tail(request: Buffer, onAnswer: (answer: Buffer) => void): Promise<void>;
  close(): void;
}

const identity = (bytes: Buffer) => bytes;

/** A client with a connection of its own, which has 256 calls at a time at most. */
export function createBytesClient(address: string, key: string): BytesClient {
  const client = new Client(address, credentials.createInsecure(), {
    "grpc-node.flow_control_window": 1 << 20,
    "grpc.use_local_subchannel_pool": 1,
  });
  const metadata = authorize(key);
  const tails: ClientReadableStream<Buffer>[] = [];
  const pathOf = (method: string) => `/${EventService.typeName}/${method}`;
  return {
    call: (method, request) =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(pathOf(method), identity, identity, request, metadata, (error, response) =>
          error || response === undefined ? reject(error) : resolve(response),
        );
      }),
    stream: (nextMessage, otherKey) =>
      new Promise((resolve, reject) => {
        const call = client.makeClientStreamRequest(
          pathOf("TrackBatch"),
          identity,
          identity,
          otherKey === undefined ? metadata : authorize(otherKey),
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
    tail: (request, onAnswer) =>
      new Promise((resolve, reject) => {
        const call = client.makeServerStreamRequest(pathOf("TailEvents"), identity, identity, request, metadata);
        tails.push(call);
        call.on("data", (answer: Buffer) => {
          resolve();
          onAnswer(answer);
        });
        call.on("error", reject);
      }),
    close() {
      for (const tail of tails) tail.cancel();
      client.close();
    },
  };
}

function authorize(key: string): Metadata {
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${key}`);
  return metadata;
}
