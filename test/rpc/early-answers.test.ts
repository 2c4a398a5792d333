import type { MessageInitShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import type { TrackBatchRequestSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import { EventService, Outcome, TrackBatchResponseSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import { fakeEventHandlers } from "../support/fake-event-handlers.ts";
import { GrpcEventClient } from "../support/grpc-event-client.ts";
import { useGrpcServers } from "../support/use-grpc-server.ts";
import { testKey, useHttpServer } from "../support/use-http-server.ts";

const http = useHttpServer({ http: { lingerMs: 300 } });
const startGrpc = useGrpcServers();

/** The longest answer that there is: 160 KB. */
const longest = create(TrackBatchResponseSchema, {
  throttledCount: 1000n,
  failures: Array.from({ length: 1000 }, (_, i) => ({
    index: BigInt(i),
    id: `${i}`.padEnd(128, "x"),
    outcome: Outcome.THROTTLED,
    retryDelay: { seconds: 60n },
  })),
});

const message: MessageInitShape<typeof TrackBatchRequestSchema> = {
  events: Array.from({ length: 50 }, () => ({ name: "click", properties: { text: "x".repeat(2000) } })),
};

/** Messages until nobody wants any more. */
async function* endless(): AsyncGenerator<typeof message> {
  for (;;) yield message;
}

const withKey: Interceptor = (next) => (request) => {
  request.header.set("authorization", `Bearer ${testKey}`);
  return next(request);
};

const interceptors = [withKey];
const httpVersion = "2";

describe("the answer to a stream whose sender goes on", () => {
  it.each<[string, (baseUrl: string) => Transport]>([
    [
      "Connect, JSON",
      (baseUrl) => createConnectTransport({ baseUrl, httpVersion, interceptors, useBinaryFormat: false }),
    ],
    ["Connect, protobuf", (baseUrl) => createConnectTransport({ baseUrl, httpVersion, interceptors })],
    ["Connect over HTTP/1.1", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1", interceptors })],
    ["gRPC-Web", (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion, interceptors })],
    ["gRPC", (baseUrl) => createGrpcTransport({ baseUrl, interceptors })],
  ])("arrives on :8080 over %s, and ends the sender", async (_, transportTo) => {
    http().handlers.earlyAnswer = longest;
    const client = createClient(EventService, transportTo(http().url));

    for (let i = 0; i < 5; i++) expect((await client.trackBatch(endless())).failures).toHaveLength(1000);
  });

  it("arrives on :50051 at connect-node, and ends the sender", async () => {
    const handlers = fakeEventHandlers();
    handlers.earlyAnswer = longest;
    const { port } = await startGrpc({ handlers });
    const client = createClient(
      EventService,
      createGrpcTransport({ baseUrl: `http://127.0.0.1:${port}`, interceptors }),
    );

    for (let i = 0; i < 5; i++) expect((await client.trackBatch(endless())).failures).toHaveLength(1000);
  });

  it.each(["8080", "50051"])("arrives on :%s at grpc-js", async (which) => {
    const handlers = fakeEventHandlers();
    handlers.earlyAnswer = longest;
    http().handlers.earlyAnswer = longest;
    const port = which === "8080" ? http().port : (await startGrpc({ handlers })).port;
    const client = new GrpcEventClient(`127.0.0.1:${port}`, testKey);

    for (let i = 0; i < 5; i++) {
      const { call, response } = client.openTrackBatch();
      const send = () => {
        while (call.writable && call.write(message)) {}
      };
      call.on("drain", send);
      send();
      expect((await response).failures).toHaveLength(1000);
    }
    client.close();
  });
});
