import { durationMs } from "@bufbuild/protobuf/wkt";
import type { Transport } from "@connectrpc/connect";
import { ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  QuotaFailureSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.ts";
import { EventService } from "../../gen/sluice/v1/event_service_pb.ts";
import { SluiceError } from "../../src/domain/errors.ts";
import { envelope } from "../support/raw-call.ts";
import { testKey, useHttpServer } from "../support/use-http-server.ts";
import type { ExpectedDetails } from "./error-cases.ts";
import { errorCases, minuteUsedUp } from "./error-cases.ts";

const server = useHttpServer();

const headers = { authorization: `Bearer ${testKey}` };
const policyOfBoth = `"30-per-1m";q=30;w=60, "15000-per-24h";q=15000;w=86400`;
const stateOfBoth = `"30-per-1m";r=0;t=60, "15000-per-24h";r=14970;t=173`;

/** The first message of a stream. */
async function firstOf<T>(messages: AsyncIterable<T>): Promise<T | undefined> {
  for await (const message of messages) return message;
  return undefined;
}

function readDetails(error: ConnectError) {
  const [info] = error.findDetails(ErrorInfoSchema);
  const [badRequest] = error.findDetails(BadRequestSchema);
  const [retryInfo] = error.findDetails(RetryInfoSchema);
  const [quotaFailure] = error.findDetails(QuotaFailureSchema);
  return {
    reason: info?.reason,
    domain: info?.domain,
    fields: badRequest?.fieldViolations.map(({ field }) => field) ?? [],
    retryDelayMs: retryInfo?.retryDelay && durationMs(retryInfo.retryDelay),
    quotas: quotaFailure?.violations.map(({ subject, description }) => `${subject}: ${description}`) ?? [],
    oldestCursor: info?.metadata.oldest_cursor,
  } satisfies Record<keyof ExpectedDetails, unknown>;
}

const transports: [name: string, connect: (baseUrl: string) => Transport][] = [
  ["Connect JSON", (baseUrl) => createConnectTransport({ httpVersion: "1.1", baseUrl, useBinaryFormat: false })],
  ["Connect protobuf", (baseUrl) => createConnectTransport({ httpVersion: "2", baseUrl, useBinaryFormat: true })],
  ["gRPC-Web", (baseUrl) => createGrpcWebTransport({ httpVersion: "1.1", baseUrl })],
  ["gRPC", (baseUrl) => createGrpcTransport({ baseUrl })],
];

describe.each(transports)("%s", (_, connect) => {
  const client = () => createClient(EventService, connect(server().url));
  const failed = async (call: Promise<unknown>): Promise<ConnectError> =>
    ConnectError.from(
      await call.then(
        () => expect.unreachable("the call fails"),
        (thrown) => thrown,
      ),
    );

  it.each(errorCases)("tells of $reason in code, details and headers", async (errorCase) => {
    server().handlers.failure = errorCase.error;

    const error = await failed(client().track({ event: { name: "one" } }, { headers }));

    expect(error).toMatchObject({ code: errorCase.code, rawMessage: errorCase.error.message });
    expect(readDetails(error)).toEqual(errorCase.details);
    expect(error.metadata.get("retry-after") ?? undefined).toBe(errorCase.retryAfter);
    const isLimited = errorCase.reason === "RATE_LIMITED";
    expect(error.metadata.get("ratelimit-policy")).toBe(isLimited ? policyOfBoth : null);
    expect(error.metadata.get("ratelimit")).toBe(isLimited ? stateOfBoth : null);
    expect(await server().onlyRecord()).toMatchObject({
      code: errorCase.codeName,
      reason: errorCase.reason,
      project: "test",
      key: "all",
    });
  });

  it.each([
    ["ListEvents", () => client().listEvents({}, { headers })],
    ["GetEvent", () => client().getEvent({}, { headers })],
    ["TailEvents", () => firstOf(client().tailEvents({}, { headers }))],
    ["ListRejectedEvents", () => client().listRejectedEvents({}, { headers })],
    ["GetLimits", () => client().getLimits({}, { headers })],
  ])("tells of errors of %s", async (_method, call) => {
    server().handlers.failure = new SluiceError("STORAGE_UNAVAILABLE", "storage is away");

    const error = await failed(call());

    expect(readDetails(error)).toMatchObject({ reason: "STORAGE_UNAVAILABLE", retryDelayMs: 1000 });
    expect(error.metadata.get("retry-after")).toBe("1");
  });

  it("says what the rate limits have left with each answer that stores events", async () => {
    server().handlers.quotas = minuteUsedUp;
    const told: (string | null)[] = [];
    const options = {
      headers,
      onHeader: (header: Headers) => void told.push(header.get("ratelimit-policy"), header.get("ratelimit")),
    };
    async function* messages() {
      yield { events: [{ name: "one" }] };
    }

    await client().track({ event: { name: "one" } }, options);
    await client().trackMany({ events: [{ name: "one" }] }, options);
    await client().trackBatch(messages(), options);

    expect(told).toEqual([1, 2, 3].flatMap(() => [policyOfBoth, stateOfBoth]));
  });

  it("says when to send throttled events again with each answer that holds some", async () => {
    server().handlers.retryDelayMs = 2001;
    const told: (string | null)[] = [];
    const options = { headers, onHeader: (header: Headers) => void told.push(header.get("retry-after")) };
    async function* messages() {
      yield { events: [{ name: "one" }] };
    }

    await client().trackMany({ events: [{ name: "one" }] }, options);
    await client().trackBatch(messages(), options);

    expect(told).toEqual(["3", "3"]);
  });

  it("says nothing of rate limits where there are none", async () => {
    let header = new Headers();
    const onHeader = (received: Headers) => {
      header = received;
    };

    await client().track({ event: { name: "one" } }, { headers, onHeader });

    expect([...header.keys()].filter((name) => /^(ratelimit|retry)/.test(name))).toEqual([]);
  });
});

describe("HTTP", () => {
  it.each<[name: string, contentType: string, body: Uint8Array<ArrayBuffer>, status: number]>([
    ["Connect", "application/json", Buffer.from("{}"), 429],
    ["gRPC-Web", "application/grpc-web+proto", Buffer.from(envelope(new Uint8Array())), 200],
  ])("has the headers of an error where any client looks, over %s", async (_, contentType, body, status) => {
    server().handlers.failure = new SluiceError("RATE_LIMITED", "too many", {
      retryDelayMs: 1,
      quotas: minuteUsedUp,
    });

    const response = await fetch(`${server().url}/sluice.v1.EventService/Track`, {
      method: "POST",
      headers: { ...headers, "content-type": contentType },
      body,
    });
    await response.arrayBuffer();

    expect(response.status).toBe(status);
    expect(response.headers.get("retry-after")).toBe("1");
    expect(response.headers.get("ratelimit-policy")).toBe(policyOfBoth);
    expect(response.headers.get("ratelimit")).toBe(stateOfBoth);
  });
});
