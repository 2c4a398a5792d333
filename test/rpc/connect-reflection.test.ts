import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionV1Alpha } from "../../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { testKey, useHttpServer } from "../support/use-http-server.ts";

const server = useHttpServer();
const run = promisify(execFile);

const listServices = { messageRequest: { case: "listServices" as const, value: "" } };

describe.each([
  { version: "v1", service: ServerReflection },
  { version: "v1alpha", service: ServerReflectionV1Alpha },
])("reflection $version, without a key", ({ service }) => {
  async function ask(messageRequest: { case: "fileContainingSymbol" | "fileByFilename"; value: string }) {
    const client = createClient(service, createGrpcTransport({ baseUrl: server().url }));
    async function* questions() {
      yield { host: "h", messageRequest };
    }
    for await (const { validHost, originalRequest, messageResponse } of client.serverReflectionInfo(questions())) {
      expect(validHost).toBe("h");
      expect(originalRequest?.messageRequest).toEqual(messageRequest);
      return messageResponse;
    }
    return undefined;
  }

  it("lists the services", async () => {
    const client = createClient(service, createGrpcTransport({ baseUrl: server().url }));
    async function* questions() {
      yield listServices;
    }
    for await (const { messageResponse } of client.serverReflectionInfo(questions())) {
      expect(messageResponse.case === "listServicesResponse" && messageResponse.value.service).toMatchObject([
        { name: "sluice.v1.EventService" },
        { name: "grpc.health.v1.Health" },
        { name: "grpc.reflection.v1.ServerReflection" },
        { name: "grpc.reflection.v1alpha.ServerReflection" },
      ]);
    }
  });

  it.each([
    ["fileContainingSymbol", "sluice.v1.EventService"],
    ["fileContainingSymbol", "sluice.v1.EventService.Track"],
    ["fileContainingSymbol", "sluice.v1.TrackRequest.event"],
    ["fileByFilename", "sluice/v1/event_service.proto"],
  ] as const)("gives the file and what it imports for %s %s", async (kind, value) => {
    const response = await ask({ case: kind, value });

    const files = response?.case === "fileDescriptorResponse" ? response.value.fileDescriptorProto : [];
    expect(files.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name)).toEqual([
      "sluice/v1/event_service.proto",
      "sluice/v1/event.proto",
      "google/protobuf/timestamp.proto",
      "google/protobuf/struct.proto",
      "google/protobuf/duration.proto",
    ]);
  });

  it.each([
    ["fileContainingSymbol", "google.protobuf.Any"],
    ["fileContainingSymbol", "constructor"],
    ["fileContainingSymbol", ""],
    ["fileByFilename", "__proto__"],
  ] as const)("has nothing for %s '%s'", async (kind, value) => {
    expect(await ask({ case: kind, value })).toMatchObject({ case: "errorResponse", value: { errorCode: 5 } });
  });
});

describe("buf curl, without a schema", () => {
  it.each(["grpc", "connect", "grpcweb"])("calls Track over %s", async (protocol) => {
    const options = ["--protocol", protocol, "--http2-prior-knowledge", "--header", `authorization: Bearer ${testKey}`];
    const url = `${server().url}/sluice.v1.EventService/Track`;

    const { stdout } = await run("node_modules/.bin/buf", ["curl", ...options, "-d", `{"event":{"name":"a"}}`, url]);

    expect(JSON.parse(stdout)).toMatchObject({ id: "a" });
  });
});

describe("a reflection stream", () => {
  it("ends at shutdown", async () => {
    const client = createClient(ServerReflection, createGrpcTransport({ baseUrl: server().url }));
    const { promise: forever } = Promise.withResolvers<void>();
    async function* questions() {
      yield listServices;
      await forever;
    }

    const read = async () => {
      for await (const _ of client.serverReflectionInfo(questions())) server().shutDown();
    };

    await expect(read()).rejects.toThrow("shutting down");
  });
});
