import { create } from "@bufbuild/protobuf";
import { Code, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import { ServerReflection, ServerReflectionRequestSchema } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { Health } from "../../gen/health/v1/health_pb.ts";
import { useGrpcServers } from "../support/use-grpc-server.ts";
import { useHttpServer } from "../support/use-http-server.ts";
import { waitUntil } from "../support/wait-until.ts";

const openCalls = 3;
const http = useHttpServer({ connect: { openCalls } });
const startGrpc = useGrpcServers();

const question = create(ServerReflectionRequestSchema, { messageRequest: { case: "listServices", value: "" } });
const refused = { code: Code.ResourceExhausted, rawMessage: "too many calls without a key are open" };

/** Opens a call, and resolves when it has its first answer. */
async function open(transport: Transport, what: "Watch" | "reflection") {
  const aborter = new AbortController();
  const { signal } = aborter;
  async function* questions() {
    yield question;
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  }
  const answers: AsyncIterable<unknown> =
    what === "Watch"
      ? createClient(Health, transport).watch({}, { signal })
      : createClient(ServerReflection, transport).serverReflectionInfo(questions(), { signal });
  await answers[Symbol.asyncIterator]().next();
  return { close: () => aborter.abort() };
}

async function expectLimit(transport: Transport, last: "Watch" | "reflection", records: readonly { code: string }[]) {
  const calls = await Promise.all(Array.from({ length: openCalls }, () => open(transport, last)));

  await expect(open(transport, "Watch")).rejects.toMatchObject(refused);
  await expect(open(transport, last)).rejects.toMatchObject(refused);
  await createClient(Health, transport).check({});
  await waitUntil(() => records.filter(({ code }) => code === "RESOURCE_EXHAUSTED").length === 2);

  for (const { close } of calls) close();
  await waitUntil(() => records.length === openCalls + 3);
  const again = await Promise.all(Array.from({ length: openCalls }, () => open(transport, last)));
  for (const { close } of again) close();
}

describe("calls without a key that last", () => {
  it.each<[string, (baseUrl: string) => Transport, "Watch" | "reflection"]>([
    ["Watch over Connect", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2" }), "Watch"],
    ["Watch over gRPC-Web", (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }), "Watch"],
    ["Watch over gRPC", (baseUrl) => createGrpcTransport({ baseUrl }), "Watch"],
    ["reflection over gRPC", (baseUrl) => createGrpcTransport({ baseUrl }), "reflection"],
  ])("are limited on :8080, and others are not: %s", async (_, transportTo, what) => {
    await expectLimit(transportTo(http().url), what, http().records);
  });

  it.each(["Watch", "reflection"] as const)("are limited on :50051, and others are not: %s", async (what) => {
    const { port, records } = await startGrpc({ limits: { openCalls } });

    await expectLimit(createGrpcTransport({ baseUrl: `http://127.0.0.1:${port}` }), what, records);
  });

  it("leave the limit when they end by themselves", async () => {
    const { port } = await startGrpc({ limits: { openCalls, reflectionIdleMs: 20 } });
    const client = createClient(ServerReflection, createGrpcTransport({ baseUrl: `http://127.0.0.1:${port}` }));
    async function* questions() {
      yield question;
    }

    for (let i = 0; i < 2 * openCalls; i++) for await (const _ of client.serverReflectionInfo(questions()));
  });
});
