import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { TrackBatchResponseSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import { describeCallError, isRefusal, isRetryable, isUnreachable, retryDelayMs } from "../../src/cli/call-error.ts";
import { ofSluice, storageUnavailable } from "./fake-event-service.ts";

const url = "http://sluice.test";

function ofSystem(systemCode: string, code = Code.Unavailable): ConnectError {
  const error = new ConnectError(systemCode, code);
  error.cause = Object.assign(new Error(systemCode), { code: systemCode });
  return error;
}

function throttled(delaySeconds: bigint): ConnectError {
  return new ConnectError("text", Code.ResourceExhausted, undefined, [
    { desc: ErrorInfoSchema, value: { reason: "RATE_LIMITED", domain: "sluice" } },
    { desc: RetryInfoSchema, value: { retryDelay: { seconds: delaySeconds } } },
  ]);
}

describe("isRefusal", () => {
  it.each(["KEY_INVALID", "EVENT_INVALID", "STORAGE_FULL", "STORAGE_UNAVAILABLE", "SHUTTING_DOWN"])(
    "believes the server's %s that nothing was taken",
    (reason) => expect(isRefusal(ofSluice(reason, Code.Unavailable))).toBe(true),
  );

  it.each([
    ["OUTCOME_UNKNOWN", Code.Unavailable],
    ["STREAM_IDLE", Code.DeadlineExceeded],
    ["CALL_ENDED", Code.Canceled],
    ["DEADLINE_EXCEEDED", Code.DeadlineExceeded],
    ["INTERNAL", Code.Internal],
  ])("does not read it into the server's %s", (reason, code) => {
    expect(isRefusal(ofSluice(reason, code))).toBe(false);
  });

  it("does not read it into an error that says what was taken", () => {
    expect(isRefusal(storageUnavailable([{ desc: TrackBatchResponseSchema, value: {} }]))).toBe(false);
  });

  it.each(Object.values(Code).filter((code) => typeof code === "number"))(
    "reads it into no error of something on the way, of code %s",
    (code) => {
      expect(isRefusal(new ConnectError("Premature close", code))).toBe(false);
      expect(isRefusal(ofSluice("STORAGE_UNAVAILABLE", code, {}, "proxy.example"))).toBe(false);
    },
  );
});

describe("isRetryable", () => {
  it.each([
    ["a connection that was lost", new ConnectError("Premature close", Code.Unknown)],
    ["a proxy that failed", new ConnectError("HTTP 500", Code.Unknown)],
    ["a proxy that is full", new ConnectError("HTTP 429", Code.ResourceExhausted)],
    ["a response that was cut short", new ConnectError("premature end of stream", Code.InvalidArgument)],
    ["a host that is away", ofSystem("ECONNREFUSED")],
    ["storage that is away", storageUnavailable()],
    ["a rate limit", throttled(1n)],
    ["a deadline", ofSluice("DEADLINE_EXCEEDED", Code.DeadlineExceeded)],
  ])("has hope after %s", (_, error) => expect(isRetryable(error)).toBe(true));

  it.each([
    ["a key that opens nothing", ofSluice("KEY_INVALID", Code.Unauthenticated)],
    ["a storage that is full", ofSluice("STORAGE_FULL", Code.ResourceExhausted)],
    ["an event that is not valid", ofSluice("EVENT_INVALID", Code.InvalidArgument)],
    ["a port for gRPC", new ConnectError("HTTP 415", Code.Unknown)],
    ["another kind of server", new ConnectError("HTTP 404", Code.Unimplemented)],
    ["a certificate that is refused", new ConnectError("no TLS connection", Code.FailedPrecondition)],
  ])("has none after %s", (_, error) => expect(isRetryable(error)).toBe(false));
});

describe("isUnreachable", () => {
  it("knows that nothing was sent only when no connection came about", () => {
    expect(isUnreachable(ofSystem("ECONNREFUSED"))).toBe(true);
    expect(isUnreachable(ofSystem("ECONNRESET", Code.Aborted))).toBe(false);
    expect(isUnreachable(new ConnectError("ECONNREFUSED", Code.Unavailable))).toBe(false);
  });
});

describe("retryDelayMs", () => {
  it("doubles up to 30 s, but waits for as long as the server asks", () => {
    const error = new ConnectError("gone", Code.Aborted);

    expect([1, 2, 3, 10].map((attempt) => retryDelayMs(error, attempt, () => 1))).toEqual([500, 1000, 2000, 30_000]);
    expect(retryDelayMs(throttled(7n), 1, () => 0)).toBe(7000);
    expect(retryDelayMs(throttled(3600n), 1, () => 0)).toBe(30_000);
  });
});

describe("describeCallError", () => {
  it.each([
    [ofSystem("ECONNREFUSED"), `cannot reach ${url} (ECONNREFUSED): is the server running, and is SLUICE_URL right?`],
    [
      new ConnectError("HTTP 404", Code.Unimplemented),
      `${url} does not answer as Sluice does (HTTP 404): is SLUICE_URL right?`,
    ],
    [
      new ConnectError("Protocol error", Code.Internal),
      `${url} does not answer as Sluice does (Protocol error): is SLUICE_URL right?`,
    ],
    [
      new ConnectError("HTTP 415", Code.Unknown),
      `${url} is for gRPC alone (HTTP 415): SLUICE_URL has to name the HTTP port`,
    ],
    [
      ofSystem("ERR_SSL_WRONG_VERSION_NUMBER", Code.FailedPrecondition),
      `${url} makes no TLS connection: if it serves without, SLUICE_URL begins with http://`,
    ],
    [
      new ConnectError("socket disconnected before secure TLS connection was established", Code.Aborted),
      `${url} makes no TLS connection: if it serves without, SLUICE_URL begins with http://`,
    ],
    [
      new ConnectError("stream closed", Code.Canceled),
      "stream closed (Canceled): is SLUICE_URL right, or does it begin with https://?",
    ],
    [new ConnectError("Premature close", Code.Unknown), "Premature close (Unknown): is SLUICE_URL right?"],
    [ofSluice("KEY_INVALID", Code.Unauthenticated), `${url} refuses the key: text; set SLUICE_KEY`],
    [ofSluice("STORAGE_FULL", Code.ResourceExhausted), "text (STORAGE_FULL)"],
    [new ConnectError("\u001b[2J", Code.Internal), "\\u001b[2J (Internal): is SLUICE_URL right?"],
  ])("says it in one line: %s", (error, expected) => expect(describeCallError(error, url)).toBe(expected));
});
