import type { DescMethod, DescService, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { create, createFileRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Client, credentials, status } from "@grpc/grpc-js";
import { afterEach, describe, expect, it } from "vitest";
import type { ServerReflectionRequestSchema } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ReflectionV1 } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ReflectionV1Alpha } from "../../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "../../gen/health/v1/health_pb.ts";
import { EventService } from "../../gen/sluice/v1/event_service_pb.ts";
import { useGrpcServers } from "../support/use-grpc-server.ts";

const startServer = useGrpcServers();
const clients: Client[] = [];

afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

function open(port: number): Client {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  clients.push(client);
  return client;
}

/** A method as grpc-js wants to have it: path and codec. */
function codecOf<M extends DescMethod>(method: M) {
  return [
    `/${method.parent.typeName}/${method.name}`,
    (message: MessageShape<M["input"]>) => Buffer.from(toBinary<M["input"]>(method.input, message)),
    (bytes: Buffer): MessageShape<M["output"]> => fromBinary<M["output"]>(method.output, bytes),
  ] as const;
}

type Question = NonNullable<MessageInitShape<typeof ServerReflectionRequestSchema>["messageRequest"]>;

/** Asks reflection one thing, without a key. Its versions are the same on the wire but for their names. */
async function ask(port: number, service: DescService, messageRequest: Question) {
  const method = ReflectionV1.method.serverReflectionInfo;
  const [, encode, decode] = codecOf(method);
  const stream = open(port).makeBidiStreamRequest(`/${service.typeName}/${method.name}`, encode, decode);
  stream.write(create(method.input, { host: "here", messageRequest }));
  stream.end();
  const answers: MessageShape<typeof method.output>[] = [];
  for await (const answer of stream) answers.push(answer);
  return answers;
}

const versions: [string, DescService][] = [
  ["v1", ReflectionV1],
  ["v1alpha", ReflectionV1Alpha],
];

describe.each(versions)("reflection %s", (_, reflection) => {
  it("lists the services", async () => {
    const { port } = await startServer();

    const [answer] = await ask(port, reflection, { case: "listServices", value: "" });

    const { case: kind, value } = answer?.messageResponse ?? {};
    expect(kind === "listServicesResponse" && value?.service.map(({ name }) => name).sort()).toEqual([
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
      "sluice.v1.EventService",
    ]);
  });

  it("hands out the contract, with all that it imports", async () => {
    const { port } = await startServer();

    const [answer] = await ask(port, reflection, { case: "fileContainingSymbol", value: EventService.typeName });

    const { case: kind, value } = answer?.messageResponse ?? {};
    const files = kind === "fileDescriptorResponse" ? (value?.fileDescriptorProto ?? []) : [];
    const file = files.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes)).reverse();
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file }));
    expect(namesOf(registry.getService(EventService.typeName))).toEqual(namesOf(EventService));
    expect(registry.getMessage("sluice.v1.Event")?.field.properties?.message?.typeName).toBe("google.protobuf.Struct");
  });

  it("does not know what is not there", async () => {
    const { port } = await startServer();

    const [answer] = await ask(port, reflection, { case: "fileContainingSymbol", value: "shop.v1.Shop" });

    expect(answer?.messageResponse.case).toBe("errorResponse");
  });
});

function namesOf(service: DescService | undefined): string[] | undefined {
  return service?.methods.map(({ name, methodKind }) => `${name} ${methodKind}`);
}

describe("health", () => {
  const { check, watch } = Health.method;

  function checkHealth(port: number, service: string): Promise<Serving> {
    return new Promise((resolve, reject) => {
      open(port).makeUnaryRequest(...codecOf(check), create(check.input, { service }), (error, response) => {
        if (error !== null || response === undefined) reject(error);
        else resolve(response.status);
      });
    });
  }

  it.each(["", "sluice.v1.EventService"])("of %j is what the server's serving status is", async (service) => {
    const { port, setServing } = await startServer();

    expect(await checkHealth(port, service)).toBe(Serving.SERVING);
    setServing(false);
    expect(await checkHealth(port, service)).toBe(Serving.NOT_SERVING);
    setServing(true);
    expect(await checkHealth(port, service)).toBe(Serving.SERVING);
  });

  it("of an unknown service is NOT_FOUND", async () => {
    const { port } = await startServer();

    await expect(checkHealth(port, "shop.v1.Shop")).rejects.toMatchObject({ code: status.NOT_FOUND });
  });

  it("tells a watcher of each change, and does not hold up a close for ever", async () => {
    const server = await startServer();
    const watcher = open(server.port).makeServerStreamRequest(...codecOf(watch), create(watch.input, {}));
    watcher.on("error", () => {});
    const heard: Serving[] = [];
    for await (const response of watcher.iterator({ destroyOnReturn: false })) {
      heard.push(response.status);
      if (heard.length === 3) break;
      server.setServing(heard.length === 2);
    }

    expect(heard).toEqual([Serving.SERVING, Serving.NOT_SERVING, Serving.SERVING]);
    await server.close(20);
  });
});
