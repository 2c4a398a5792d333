import { describe, expect, it } from "vitest";
import { readDeadline, setDeadline } from "../../src/rpc/connect-deadline.ts";

const policy = { defaultMs: 10_000, maxMs: 300_000 };

describe("setDeadline", () => {
  it.each([
    ["gRPC", "grpc-timeout", null, 10_000, "10000m"],
    ["gRPC", "grpc-timeout", "2S", 2000, "2S"],
    ["gRPC", "grpc-timeout", "500u", 0.5, "500u"],
    ["gRPC", "grpc-timeout", "6M", 300_000, "300000m"],
    ["gRPC", "grpc-timeout", "99999999H", 300_000, "300000m"],
    ["gRPC", "grpc-timeout", "soon", 10_000, "soon"],
    ["Connect", "connect-timeout-ms", null, 10_000, "10000"],
    ["Connect", "connect-timeout-ms", "2000", 2000, "2000"],
    ["Connect", "connect-timeout-ms", "9999999999", 300_000, "300000"],
    ["Connect", "connect-timeout-ms", "-1", 10_000, "-1"],
  ])("of %s makes %s: %s last %i ms", (protocol, name, asked, timeoutMs, header) => {
    const headers = new Headers(asked === null ? {} : { [name]: asked });

    expect(setDeadline(headers, protocol === "gRPC", policy)).toBe(timeoutMs);
    expect(headers.get(name)).toBe(header);
  });

  it("sets none where there is no default", () => {
    const headers = new Headers();

    expect(setDeadline(headers, true, {})).toBeUndefined();
    expect([...headers]).toEqual([]);
  });

  it.each([
    [true, "grpc-timeout", "99999999H", "2147483S"],
    [false, "connect-timeout-ms", "9999999999", "2147483647"],
  ])("keeps within what a timer can hold", (isGrpc, name, asked, header) => {
    const headers = new Headers({ [name]: asked });

    setDeadline(headers, isGrpc, {});

    expect(headers.get(name)).toBe(header);
  });
});

describe("readDeadline", () => {
  it.each([
    [undefined, { timeoutMs: 10_000, isAsked: false, isMalformed: false }],
    ["2000", { timeoutMs: 2000, isAsked: true, isMalformed: false }],
    ["0", { timeoutMs: 0, isAsked: true, isMalformed: false }],
    ["9999999999", { timeoutMs: 300_000, isAsked: true, isMalformed: false }],
    ["99999999999", { timeoutMs: 10_000, isAsked: true, isMalformed: true }],
    ["-1", { timeoutMs: 10_000, isAsked: true, isMalformed: true }],
    ["", { timeoutMs: 10_000, isAsked: true, isMalformed: true }],
  ])("makes of %s what Connect would", (asked, deadline) => {
    expect(readDeadline(asked, policy)).toEqual(deadline);
  });
});
