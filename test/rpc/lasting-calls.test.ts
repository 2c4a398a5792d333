import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LastingCalls } from "../../src/rpc/lasting-calls.ts";

const withinMs = 1000;

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

function begin(calls: LastingCalls) {
  const call = { onLasting: vi.fn() };
  calls.add(call);
  return call;
}

describe("LastingCalls", () => {
  it.each([0, 1, 250, 499, 500, 999])("tells a call once, within the time, when it begins %i ms later", (lateMs) => {
    const calls = new LastingCalls(withinMs);
    const first = begin(calls);
    vi.advanceTimersByTime(lateMs);
    const call = begin(calls);

    vi.advanceTimersByTime(withinMs / 2 - 1);
    expect(call.onLasting).not.toHaveBeenCalled();
    vi.advanceTimersByTime(withinMs / 2 + 1);
    expect(call.onLasting).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(10 * withinMs);
    expect(call.onLasting).toHaveBeenCalledTimes(1);
    expect(first.onLasting).toHaveBeenCalledTimes(1);
  });

  it.each([0, 400, 800])("does not tell a call that ends after %i ms", (afterMs) => {
    const calls = new LastingCalls(withinMs);
    const call = begin(calls);
    vi.advanceTimersByTime(afterMs);
    calls.delete(call);

    vi.advanceTimersByTime(10 * withinMs);

    expect(call.onLasting).not.toHaveBeenCalled();
  });

  it("holds no timer once all are told or have ended", () => {
    const calls = new LastingCalls(withinMs);
    begin(calls);
    calls.delete(begin(calls));

    vi.advanceTimersByTime(3 * withinMs);

    expect(vi.getTimerCount()).toBe(0);
  });
});
