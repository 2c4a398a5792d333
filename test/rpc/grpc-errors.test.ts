import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { anyUnpack, durationMs } from "@bufbuild/protobuf/wkt";
import type { ServiceError } from "@grpc/grpc-js";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { afterEach, describe, expect, it } from "vitest";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  QuotaFailureSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import { EventService, TrackRequestSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import { fakeEventHandlers } from "../support/fake-event-handlers.ts";
import { testKey, useGrpcServers } from "../support/use-grpc-server.ts";
import type { ExpectedDetails } from "./error-cases.ts";
import { errorCases } from "./error-cases.ts";

const startServer = useGrpcServers();

const clients: Client[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

/** How a unary call fails, over a stock client. */
function fail(port: number, method: string): Promise<ServiceError> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  clients.push(client);
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${testKey}`);
  const request = toBinary(TrackRequestSchema, create(TrackRequestSchema, { event: { name: "click" } }));
  const bytes = method === "Track" ? Buffer.from(request) : Buffer.alloc(0);
  const identity = (message: Buffer) => message;
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(`/${EventService.typeName}/${method}`, identity, identity, bytes, metadata, (error) =>
      error === null ? reject(new Error("the call did not fail")) : resolve(error),
    );
  });
}

function readDetails(error: ServiceError) {
  const [bytes] = error.metadata.get("grpc-status-details-bin");
  const status = fromBinary(StatusSchema, Buffer.from(bytes ?? ""));
  const find = <T>(unpack: (any: (typeof status.details)[number]) => T | undefined) =>
    status.details.map(unpack).find((found) => found !== undefined);
  const info = find((any) => anyUnpack(any, ErrorInfoSchema));
  const badRequest = find((any) => anyUnpack(any, BadRequestSchema));
  const retryDelay = find((any) => anyUnpack(any, RetryInfoSchema))?.retryDelay;
  const quotaFailure = find((any) => anyUnpack(any, QuotaFailureSchema));
  return {
    code: status.code,
    message: status.message,
    details: {
      reason: info?.reason,
      domain: info?.domain,
      fields: badRequest?.fieldViolations.map(({ field }) => field) ?? [],
      retryDelayMs: retryDelay && durationMs(retryDelay),
      quotas: quotaFailure?.violations.map(({ subject, description }) => `${subject}: ${description}`) ?? [],
      oldestCursor: info?.metadata.oldest_cursor,
    } satisfies Record<keyof ExpectedDetails, unknown>,
  };
}

describe("gRPC", () => {
  it.each(errorCases)("tells of $reason in code and details", async ({ error, reason, code, codeName, details }) => {
    const handlers = fakeEventHandlers();
    handlers.failure = error;
    const { port, project, records } = await startServer({ handlers });

    const thrown = await fail(port, "Track");

    expect(thrown).toMatchObject({ code, details: error.message });
    expect(readDetails(thrown)).toEqual({ code, message: error.message, details });
    expect(records).toMatchObject([{ method: "Track", code: codeName, reason, project: project.name, key: "all" }]);
  });

  it.each(["ListEvents", "GetEvent", "TailEvents", "ListRejectedEvents", "GetLimits"])(
    "tells of errors of %s",
    async (method) => {
      const [errorCase] = errorCases.filter(({ reason }) => reason === "STORAGE_UNAVAILABLE");
      const handlers = fakeEventHandlers();
      handlers.failure = errorCase?.error;
      const { port } = await startServer({ handlers });

      expect(readDetails(await fail(port, method))).toMatchObject({ details: errorCase?.details });
    },
  );
});
