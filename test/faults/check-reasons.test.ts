import { describe, expect, it } from "vitest";
import { checkReasons } from "./check-reasons.ts";
import type { Answer, CallRecord } from "./history.ts";

function callToldAfter(ms: number, reason: string, kind: "refused" | "unknown" = "unknown"): CallRecord {
  const answers: Answer[] = [{ kind: "accepted" }, { kind, reason }];
  return { writer: "w", marks: ["a", "b"], timeoutMs: 1_000, beganAt: 0, endedAt: ms, answer: { answers } };
}

const kindsOf = (call: CallRecord, isServerKilled = false) =>
  checkReasons({ calls: [call] }, isServerKilled).map(({ kind }) => kind);

describe("checkReasons", () => {
  it.each(["OUTCOME_UNKNOWN", "STORAGE_UNAVAILABLE", "RATE_LIMITED"])("has nothing against %s", (reason) => {
    expect(kindsOf(callToldAfter(1, reason))).toEqual([]);
  });

  it.each(["refused", "unknown"] as const)(
    "objects to INTERNAL, told as %s, even of a server that is killed",
    (kind) => {
      expect(kindsOf(callToldAfter(1, "INTERNAL", kind))).toEqual(["unsound reason"]);
      expect(kindsOf(callToldAfter(1, "INTERNAL", kind), true)).toEqual(["unsound reason"]);
    },
  );

  it("objects to no answer, unless the server is killed", () => {
    expect(kindsOf(callToldAfter(1, "no answer"))).toEqual(["unsound reason"]);
    expect(kindsOf(callToldAfter(1, "no answer"), true)).toEqual([]);
  });

  it.each(["gave up", "DEADLINE_EXCEEDED", "CALL_ENDED"])(
    "objects to %s before the caller's time is over",
    (reason) => {
      expect(kindsOf(callToldAfter(500, reason))).toEqual(["unsound reason"]);
      expect(kindsOf(callToldAfter(1_001, reason))).toEqual([]);
    },
  );
});
