import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { type TrackBatchResponse, TrackBatchResponseSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import { SluiceError } from "../../src/domain/errors.ts";
import type { BatchFailure, BatchSummary } from "../../src/domain/outcome.ts";
import type { Quota } from "../../src/domain/quota.ts";
import { StreamCut } from "../../src/domain/stream-cut.ts";
import {
  codeNameOf,
  errorReasons,
  rpcCodes,
  toErrorDetails,
  toRpcCode,
  toStatusBytes,
} from "../../src/rpc/rpc-error.ts";
import { readDetails } from "../support/raw-grpc.ts";
import { allReasons, expectedCodes } from "./error-cases.ts";

const noFailures: BatchSummary = {
  acceptedCount: 1,
  duplicateCount: 2,
  rejectedCount: 3,
  throttledCount: 5,
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
  it.each(allReasons)("has the code that the design gives to %s", (reason) => {
    const [name, number] = expectedCodes[reason];

    expect(codeNameOf(reason)).toBe(name);
    expect(toRpcCode(new SluiceError(reason, "text"))).toBe(number);
    expect(Object.entries(rpcCodes)).toContainEqual([name, number]);
  });
});

describe("errorReasons", () => {
  it("holds every reason once", () => {
    expect(errorReasons).toEqual(allReasons);
  });
});

describe("toErrorDetails", () => {
  it.each(allReasons)("names %s, and says when to try again only when the service is away", (reason) => {
    const bytes = toStatusBytes(new SluiceError(reason, "text"));

    expect(readDetails(bytes)).toEqual({
      reason,
      domain: "sluice",
      ...(expectedCodes[reason][0] === "UNAVAILABLE" && { hasRetryDelay: true }),
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

  const minute = { events: 30, perMs: 60_000 };
  const day = { events: 15_000, perMs: 86_400_000 };

  it.each<[what: string, quotas: Quota[], descriptions: string[]]>([
    [
      "the rate limit that is used up",
      [
        { limit: minute, remaining: 0, resetAfterMs: 60_000 },
        { limit: day, remaining: 7, resetAfterMs: 1 },
      ],
      ["30 events per 1m"],
    ],
    [
      "all that are used up",
      [
        { limit: minute, remaining: 0, resetAfterMs: 60_000 },
        { limit: day, remaining: 0, resetAfterMs: 1 },
      ],
      ["30 events per 1m", "15000 events per 24h"],
    ],
    [
      "the tightest one, when each has some left",
      [
        { limit: minute, remaining: 20, resetAfterMs: 20_000 },
        { limit: day, remaining: 7, resetAfterMs: 1 },
      ],
      ["15000 events per 24h"],
    ],
  ])("blames %s", (_, quotas, descriptions) => {
    const error = new SluiceError("RATE_LIMITED", "too many", { retryDelayMs: 10, quotas });
    const [, , quotaFailure] = toErrorDetails(error);

    expect(quotaFailure?.value).toEqual({
      violations: descriptions.map((description) => ({ subject: "project", description })),
    });
  });

  it("blames no rate limit for another reason, nor where none is known", () => {
    const quotas = [{ limit: minute, remaining: 0, resetAfterMs: 60_000 }];

    expect(toErrorDetails(new SluiceError("ID_CONFLICT", "used before", { quotas }))).toHaveLength(1);
    expect(toErrorDetails(new SluiceError("RATE_LIMITED", "too many", { retryDelayMs: 10 }))).toHaveLength(2);
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
      throttledCount: 5n,
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
