import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { type TrackBatchResponse, TrackBatchResponseSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import type { ErrorReason } from "../../src/domain/errors.ts";
import { SluiceError } from "../../src/domain/errors.ts";
import type { BatchFailure, BatchSummary } from "../../src/domain/outcome.ts";
import { StreamCut } from "../../src/domain/stream-cut.ts";
import { codeNameOf, rpcCodes, toErrorDetails, toRpcCode, toStatusBytes } from "../../src/rpc/rpc-error.ts";
import { readDetails } from "../support/raw-grpc.ts";

/** By number, as gRPC numbers them; a reason that is missing here does not compile. */
const codes: Record<ErrorReason, [name: string, number: number]> = {
  KEY_MISSING: ["UNAUTHENTICATED", 16],
  KEY_INVALID: ["UNAUTHENTICATED", 16],
  EVENT_INVALID: ["INVALID_ARGUMENT", 3],
  FILTER_INVALID: ["INVALID_ARGUMENT", 3],
  PAGE_TOKEN_INVALID: ["INVALID_ARGUMENT", 3],
  MALFORMED: ["INVALID_ARGUMENT", 3],
  ID_CONFLICT: ["ALREADY_EXISTS", 6],
  TOO_LARGE: ["RESOURCE_EXHAUSTED", 8],
  STORAGE_FULL: ["RESOURCE_EXHAUSTED", 8],
  STORAGE_UNAVAILABLE: ["UNAVAILABLE", 14],
  SHUTTING_DOWN: ["UNAVAILABLE", 14],
  OVERLOADED: ["UNAVAILABLE", 14],
  OUTCOME_UNKNOWN: ["UNAVAILABLE", 14],
  CURSOR_EXPIRED: ["OUT_OF_RANGE", 11],
  STREAM_IDLE: ["DEADLINE_EXCEEDED", 4],
  CALL_ENDED: ["CANCELLED", 1],
  DEADLINE_EXCEEDED: ["DEADLINE_EXCEEDED", 4],
  INTERNAL: ["INTERNAL", 13],
};
const reasons = Object.keys(codes).filter((reason): reason is ErrorReason => reason in codes);

const noFailures: BatchSummary = {
  acceptedCount: 1,
  duplicateCount: 2,
  rejectedCount: 3,
  unknownCount: 4,
  lastPosition: undefined,
  nextIndex: 6,
  failures: [],
};
const failureOf = (index: number): BatchFailure => ({
  kind: "rejected",
  index,
  id: "🛝".repeat(64),
  reason: "EVENT_INVALID",
  violation: { field: `properties.${"ü".repeat(240)}`, message: "is not finite" },
});

/** The TrackBatchResponse in the details of a stream that was cut. */
function batchOf(summary: BatchSummary): TrackBatchResponse {
  const bytes = toStatusBytes(new StreamCut(new SluiceError("MALFORMED", "bad"), summary));
  return readDetails(bytes).batch ?? expect.unreachable("there is a TrackBatchResponse");
}

describe("toRpcCode", () => {
  it.each(reasons)("has the code that the design gives to %s", (reason) => {
    const [name, number] = codes[reason];

    expect(codeNameOf(reason)).toBe(name);
    expect(toRpcCode(new SluiceError(reason, "text"))).toBe(number);
    expect(Object.entries(rpcCodes)).toContainEqual([name, number]);
  });
});

describe("toErrorDetails", () => {
  it.each(reasons)("names %s, and says when to try again only when the service is away", (reason) => {
    const bytes = toStatusBytes(new SluiceError(reason, "text"));

    expect(readDetails(bytes)).toEqual({
      reason,
      domain: "sluice",
      ...(codes[reason][0] === "UNAVAILABLE" && { hasRetryDelay: true }),
    });
  });

  it("tells of the fields at fault", () => {
    const violations = [{ field: "event.name", message: "is required" }];
    const error = new SluiceError("EVENT_INVALID", "event.name is required", { violations });

    expect(readDetails(toStatusBytes(error)).fields).toEqual(["event.name"]);
  });

  it("keeps to the retry delay of the error", () => {
    const [, retryInfo] = toErrorDetails(new SluiceError("OVERLOADED", "busy", { retryDelayMs: 2500 }));

    expect(retryInfo?.value).toMatchObject({ retryDelay: { seconds: 2n, nanos: 500_000_000 } });
  });

  it("keeps the cause to itself", () => {
    const error = new SluiceError("INTERNAL", "internal error", { cause: new Error("password=s3cret") });

    expect(Buffer.from(toStatusBytes(error)).includes("s3cret")).toBe(false);
  });
});

describe("toStatusBytes", () => {
  it("carries what had become of a stream that was cut", () => {
    expect(batchOf({ ...noFailures, failures: [failureOf(3)] })).toMatchObject({
      acceptedCount: 1n,
      duplicateCount: 2n,
      rejectedCount: 3n,
      unknownCount: 4n,
      lastCursor: "",
      nextIndex: 6n,
      failures: [{ index: 3n, rejection: { reason: "EVENT_INVALID", message: "is not finite" } }],
    });
  });

  it.each([1, 10, 1000])("stays under 4 KiB with %i failures, the first ones kept", (count) => {
    const failures = Array.from({ length: count }, (_, i) => failureOf(i));
    const summary = { ...noFailures, rejectedCount: count, nextIndex: count, failures };
    const bytes = toStatusBytes(new StreamCut(new SluiceError("STORAGE_UNAVAILABLE", "Redis is away"), summary));

    expect(bytes.length).toBeLessThan(4096);
    const batch = batchOf(summary);
    expect(batch).toMatchObject({ rejectedCount: BigInt(count), nextIndex: BigInt(count) });
    expect(batch.failures.length).toBeGreaterThan(0);
    expect(batch.failures.map(({ index }) => Number(index))).toEqual(batch.failures.map((_, i) => i));
    expect(toBinary(TrackBatchResponseSchema, create(TrackBatchResponseSchema, batch)).length).toBeLessThan(3073);
  });
});
