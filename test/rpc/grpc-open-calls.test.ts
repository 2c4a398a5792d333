import { gzipSync } from "node:zlib";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { ServerReflectionRequestSchema } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import {
  HealthListResponseSchema,
  HealthCheckResponse_ServingStatus as Serving,
} from "../../gen/health/v1/health_pb.ts";
import { call, frame, openCall } from "../support/raw-grpc.ts";
import { useGrpcServers } from "../support/use-grpc-server.ts";
import { waitUntil } from "../support/wait-until.ts";
import { field, join } from "../support/wire-fields.ts";

const startServer = useGrpcServers();

const check = "/grpc.health.v1.Health/Check";
const list = "/grpc.health.v1.Health/List";
const watch = "/grpc.health.v1.Health/Watch";
const v1 = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const v1alpha = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
const reflections = [v1, v1alpha];
const empty = frame(new Uint8Array());
const withoutKey = { authorization: undefined };
const question = frame(
  toBinary(
    ServerReflectionRequestSchema,
    create(ServerReflectionRequestSchema, {
      messageRequest: { case: "fileContainingSymbol", value: "sluice.v1.EventService" },
    }),
  ),
);
/** The head of a message of so many bytes. */
const head = (bytes: number) => {
  const bare = Buffer.alloc(5);
  bare.writeUInt32BE(bytes, 1);
  return bare;
};

describe("reflection", () => {
  it.each(reflections)("%s reads no question while its answers are not taken, and then ends", async (method) => {
    const { port, records } = await startServer({ limits: { stallMs: 50 } });
    const { stream, closed } = openCall(port, method, withoutKey, { initialWindowSize: 0 });
    const questions = join(...Array.from({ length: 1000 }, () => question));
    let taken = 0;
    for (let i = 0; i < 100; i++) stream.write(questions, (error) => (taken += error ? 0 : 1));

    expect(await closed).toBe(8);
    expect(taken).toBeLessThan(10);
    await waitUntil(() => records.length > 0);
    expect(records).toMatchObject([{ method: "ServerReflectionInfo", code: "CANCELLED", reason: "CALL_ENDED" }]);
  });

  it.each(reflections)("%s ends when its caller keeps silent", async (method) => {
    const { port } = await startServer({ limits: { reflectionIdleMs: 20 } });
    const silent = openCall(port, method, withoutKey);
    const within = openCall(port, method, withoutKey);
    within.stream.write(join(question, question.subarray(0, 7)));

    for (const { end } of [silent, within]) {
      expect(await end).toMatchObject({ code: status.DEADLINE_EXCEEDED, details: { reason: "STREAM_IDLE" } });
    }
  });

  it.each(reflections)("%s is cut by a message that cannot be read, or ends too early", async (method) => {
    const { port } = await startServer();
    const malformed = { code: status.INVALID_ARGUMENT, details: { reason: "MALFORMED" } };

    expect(await call(port, method, frame(Buffer.from("garbage")), withoutKey)).toMatchObject(malformed);
    expect(await call(port, method, question.subarray(0, 9), withoutKey)).toMatchObject(malformed);
  });

  it("does not hold up a close", async () => {
    const server = await startServer();
    const { stream, end } = openCall(server.port, v1, withoutKey);
    stream.write(question);
    await new Promise((resolve) => stream.once("data", resolve));

    await server.close(60_000);

    expect(await end).toMatchObject({ code: status.UNAVAILABLE, details: { reason: "SHUTTING_DOWN" } });
  });
});

describe("health", () => {
  it.each([check, list, watch])("%s ends when its message does not come", async (method) => {
    const { port } = await startServer({ limits: { messageTimeoutMs: 20 } });
    const silent = openCall(port, method, withoutKey);
    const within = openCall(port, method, withoutKey);
    within.stream.write(join(head(1000), new Uint8Array(10)));

    for (const { end } of [silent, within]) {
      expect(await end).toMatchObject({ code: status.DEADLINE_EXCEEDED, details: { reason: "STREAM_IDLE" } });
    }
  });

  it("lists what it is told of", async () => {
    const { port } = await startServer();

    const { response } = await call(port, list, empty, withoutKey);

    expect(fromBinary(HealthListResponseSchema, response).statuses).toMatchObject({
      "": { status: Serving.SERVING },
      "sluice.v1.EventService": { status: Serving.SERVING },
    });
  });

  it("is MALFORMED of bytes that are no message", async () => {
    const { port } = await startServer();

    for (const method of [check, list, watch]) {
      expect(await call(port, method, frame(Buffer.from("garbage")), withoutKey)).toMatchObject({
        code: status.INVALID_ARGUMENT,
        details: { reason: "MALFORMED" },
      });
    }
  });

  it("ends a watch at a close, with OK", async () => {
    const server = await startServer();
    const { stream, end } = openCall(server.port, watch, withoutKey);
    stream.end(empty);
    await new Promise((resolve) => stream.once("data", resolve));

    await server.close(60_000);

    expect(await end).toMatchObject({ code: status.OK });
  });

  it("ends a watch at its deadline, and when it is cancelled", async () => {
    const { port, records } = await startServer();
    const cancelled = openCall(port, watch, withoutKey);
    cancelled.stream.end(empty);
    await new Promise((resolve) => cancelled.stream.once("data", resolve));
    cancelled.stream.close(8);

    expect(await call(port, watch, empty, { ...withoutKey, "grpc-timeout": "20m" })).toMatchObject({
      code: status.DEADLINE_EXCEEDED,
    });
    await waitUntil(() => records.length === 2);
    expect(records.map(({ code }) => code).sort()).toEqual(["CANCELLED", "DEADLINE_EXCEEDED"]);
  });
});

describe("a message", () => {
  it.each([
    ...[check, list, watch, ...reflections, "GetEvent", "GetLimits"].map((method) => [method, 64 * 1024] as const),
    ...["ListEvents", "TailEvents"].map((method) => [method, 256 * 1024] as const),
    ["Track", 1 << 20] as const,
    ["TrackMany", 4 << 20] as const,
  ])("of %s is refused when it announces more than %i bytes", async (method, bytesMax) => {
    const { port } = await startServer();
    const { stream, end, closed } = openCall(port, method);
    stream.write(head(bytesMax + 1));

    expect(await end).toMatchObject({ code: status.RESOURCE_EXHAUSTED, details: { reason: "TOO_LARGE" } });
    expect(await closed).toBe(0);
  });

  it("of GetLimits is refused when it decompresses to more than 64 KiB", async () => {
    const { port } = await startServer();
    const bytes = frame(gzipSync(new Uint8Array(64 * 1024 + 1)), true);

    expect(await call(port, "GetLimits", bytes, { "grpc-encoding": "gzip" })).toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      details: { reason: "TOO_LARGE" },
    });
  });

  it.each(["gzip", "deflate"])("may not be compressed where no key is asked for: %s", async (encoding) => {
    const { port } = await startServer();
    const headers = { ...withoutKey, "grpc-encoding": encoding };

    for (const method of [check, ...reflections]) {
      expect(await call(port, method, frame(gzipSync(""), true), headers)).toMatchObject({
        code: status.UNIMPLEMENTED,
      });
      expect(await call(port, check, empty, headers)).toMatchObject({ code: status.OK });
    }
  });
});

describe("the call log", () => {
  it.each<[path: string, bytes: Uint8Array, method: string, code: string]>([
    [check, empty, "Check", "OK"],
    [check, frame(field(1, "shop.v1.Shop")), "Check", "NOT_FOUND"],
    [list, empty, "List", "OK"],
    [v1, question, "ServerReflectionInfo", "OK"],
    [v1alpha, question, "ServerReflectionInfo", "OK"],
    ["Untrack", empty, "unknown", "UNIMPLEMENTED"],
    ["/shop.v1.Shop/Buy", empty, "unknown", "UNIMPLEMENTED"],
  ])("has %s", async (path, bytes, method, code) => {
    const { port, records } = await startServer();
    await call(port, path, bytes, withoutKey);

    await waitUntil(() => records.length > 0);
    expect(records).toMatchObject([{ method, entrance: "grpc", code }]);
  });

  it("has calls in another content type", async () => {
    const { port, records } = await startServer();
    await call(port, "Track", empty, { "content-type": "application/json" });

    expect(records).toMatchObject([{ method: "Track", entrance: "grpc", code: "UNIMPLEMENTED" }]);
  });
});
