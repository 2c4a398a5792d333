import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type CallRecord, createCallLog } from "../src/call-log.ts";
import { captureLog } from "./support/captured-log.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function setUp() {
  const log = captureLog();
  const callLog = createCallLog(log.logger);
  const record = (call: Partial<CallRecord>, times = 1) => {
    for (let i = 0; i < times; i++) {
      callLog.record({ method: "Track", entrance: "grpc", code: "OK", durationMs: 1.23, ...call });
    }
  };
  let seen = 0;
  /** The lines since the last look, without debug, a second later. */
  const nextLines = () => {
    vi.advanceTimersByTime(1000);
    const lines = log.lines.slice(seen).map((line) => JSON.parse(line));
    seen = log.lines.length;
    return lines.filter(({ level }) => level > 20);
  };
  return { callLog, record, nextLines };
}

const malformed = { code: "INVALID_ARGUMENT", reason: "MALFORMED" } as const;
const keyless = { code: "UNAUTHENTICATED", reason: "KEY_MISSING" } as const;

describe("createCallLog", () => {
  it("sums up the calls that go well", () => {
    const { record, nextLines } = setUp();
    record({}, 3);
    record({ method: "ListEvents" });

    expect(nextLines()).toMatchObject([{ level: 30, msg: "served", calls: { Track: 3, ListEvents: 1 } }]);
    expect(nextLines()).toEqual([]);
  });

  it.each<Partial<CallRecord>>([
    { method: "GetEvent", code: "NOT_FOUND", reason: "EVENT_NOT_FOUND" },
    { method: "TailEvents", code: "CANCELLED", reason: "CALL_ENDED" },
    { method: "TailEvents", code: "DEADLINE_EXCEEDED", reason: "DEADLINE_EXCEEDED" },
    { method: "Watch", code: "CANCELLED", reason: "CALL_ENDED" },
  ])("sums up $method with those that go well when it ends with $reason, as it should", (call) => {
    const { record, nextLines } = setUp();
    record({ ...call, project: "shop", key: "web" }, 2);

    const calls = { [String(call.method)]: 2 };
    expect(nextLines()).toEqual([expect.objectContaining({ level: 30, msg: "served", calls })]);
  });

  it.each<Partial<CallRecord>>([
    { method: "TailEvents", code: "OUT_OF_RANGE", reason: "CURSOR_EXPIRED" },
    { method: "ListEvents", code: "CANCELLED", reason: "CALL_ENDED" },
    { method: "TrackBatch", code: "DEADLINE_EXCEEDED", reason: "DEADLINE_EXCEEDED" },
  ])("has a line for $method that ends with $reason", (call) => {
    const { record, nextLines } = setUp();
    record(call);

    expect(nextLines()).toMatchObject([{ level: 40, msg: "call failed", ...call }]);
  });

  it("has a line for each call that fails", () => {
    const { record, nextLines } = setUp();
    record({ ...malformed, project: "shop", key: "web" }, 2);

    const line = { level: 40, msg: "call failed", method: "Track", reason: "MALFORMED", project: "shop", key: "web" };
    expect(nextLines()).toMatchObject([line, line]);
  });

  it.each(["INTERNAL", "500"])("tells of a fault of ours, %s, as an error, with its cause", (code) => {
    const { record, nextLines } = setUp();
    record({ code, reason: "INTERNAL", cause: new Error("the cause") });

    expect(nextLines()).toMatchObject([{ level: 50, msg: "call failed", err: { message: "the cause" } }]);
  });

  it("sums up, by method, reason and project, what anyone can make fail", () => {
    const { record, nextLines } = setUp();
    record(keyless, 500);
    record({ ...keyless, method: "ListEvents", reason: "KEY_INVALID" });
    record({ code: "RESOURCE_EXHAUSTED", reason: "RATE_LIMITED", project: "shop" }, 2);

    const failures = { "Track KEY_MISSING": 500, "ListEvents KEY_INVALID": 1, "Track RATE_LIMITED shop": 2 };
    expect(nextLines()).toEqual([expect.objectContaining({ level: 40, msg: "calls failed", failures })]);
    expect(nextLines()).toEqual([]);
  });

  it("has no more than 100 lines a second of failed calls, and counts the rest", () => {
    const { record, nextLines } = setUp();
    record({ method: "unknown", code: "UNIMPLEMENTED" }, 150);
    record({ ...malformed, project: "shop" });
    record({ code: "INTERNAL", reason: "INTERNAL" });

    const lines = nextLines();
    expect(lines.filter(({ msg }) => msg === "call failed")).toHaveLength(100 + 1);
    expect(lines.at(-1)).toMatchObject({ failures: { "unknown UNIMPLEMENTED": 50, "Track MALFORMED shop": 1 } });

    record(malformed);
    expect(nextLines()).toMatchObject([{ msg: "call failed" }]);
  });

  it("says once a second what storage said, and what is left when it stops", () => {
    const { callLog, record, nextLines } = setUp();
    record(keyless);
    callLog.countOutcomes([{ kind: "throttled", id: "a", retryDelayMs: 1 }]);
    callLog.stop();

    expect(nextLines()).toMatchObject([
      { msg: "served", events: { throttled: 1 } },
      { msg: "calls failed", failures: { "Track KEY_MISSING": 1 } },
    ]);
  });
});
