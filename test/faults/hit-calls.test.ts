import { describe, expect, it } from "vitest";
import type { Answer, CallRecord } from "./history.ts";
import { findUnresolved, tallyHit } from "./hit-calls.ts";

const accepted: Answer = { kind: "accepted" };
const unknown: Answer = { kind: "unknown", reason: "OUTCOME_UNKNOWN" };
const window = { fromMs: 100, toMs: 200 };

function call(beganAt: number, endedAt: number, answer: Answer, timeoutMs = 10_000): CallRecord {
  return { writer: "w", marks: ["a"], timeoutMs, beganAt, endedAt, answer: { answers: [answer] } };
}

const tally = (...calls: CallRecord[]) => tallyHit({ calls }, [window]);

describe("tallyHit", () => {
  it("counts what was stored by a call that was there before the fault and outlasted it", () => {
    expect(tally(call(50, 250, accepted))).toEqual({ events: 1, unknown: 0, resolved: 1 });
    expect(tally(call(150, 250, accepted), call(50, 150, accepted))).toEqual({ events: 2, unknown: 0, resolved: 0 });
  });

  it("counts what stays unknown of a call that was under way during the fault", () => {
    expect(tally(call(150, 160, unknown))).toEqual({ events: 1, unknown: 1, resolved: 0 });
  });

  it("leaves out calls without a fault, callers in a hurry, and calls without an answer", () => {
    const { answer: _, ...open } = call(50, 250, accepted);
    const calls = [call(0, 99, unknown), call(201, 300, unknown), call(150, 160, unknown, 50), open];
    expect(tally(...calls)).toEqual({ events: 0, unknown: 0, resolved: 0 });
  });
});

describe("findUnresolved", () => {
  it("asks for nothing when as good as nothing stays unknown and enough is stored", () => {
    expect(findUnresolved({ events: 1_000, unknown: 10, resolved: 50 }, 50)).toEqual([]);
  });

  it("tells when too much stays unknown, and when too little is stored", () => {
    expect(findUnresolved({ events: 1_000, unknown: 11, resolved: 0 }, 0)).toHaveLength(1);
    expect(findUnresolved({ events: 1_000, unknown: 0, resolved: 49 }, 50)).toHaveLength(1);
  });
});
