import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SluiceError } from "../../src/domain/errors.ts";
import { UnaryEnd } from "../../src/rpc/connect-unary-end.ts";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const begin = (timeoutMs: number) => new UnaryEnd(performance.now(), timeoutMs);

describe("the end of a unary call", () => {
  it("comes at its deadline, for that reason", () => {
    const end = begin(100);
    const { signal } = end;

    vi.advanceTimersByTime(99);
    expect([signal.aborted, end.expired, end.remainingMs()]).toEqual([false, undefined, 1]);
    vi.advanceTimersByTime(1);

    expect(signal.reason).toMatchObject({ reason: "DEADLINE_EXCEEDED" });
    expect(end.expired).toBe(signal.reason);
  });

  it.each([true, false])("shows in its signal, asked for before: %s", (isAskedBefore) => {
    const end = begin(100);
    if (isAskedBefore) expect(end.signal.aborted).toBe(false);

    end.end();

    expect(end.signal).toMatchObject({ aborted: true, reason: { name: "AbortError" } });
  });

  it("leaves no timer behind, and is the first one", () => {
    const end = begin(100);

    end.end();

    expect(vi.getTimerCount()).toBe(0);
    expect(end.expired).toBeUndefined();
  });

  it("comes at once without any time", () => {
    expect(begin(0).expired).toMatchObject({ reason: "DEADLINE_EXCEEDED" });
  });

  it.each(["before", "after"])("rejects what is named %s it with the error that it is given", async (when) => {
    const end = begin(20);
    if (when === "after") vi.advanceTimersByTime(20);

    const late = new Promise((_, reject) => {
      end.rejectAtDeadline(reject, (timeoutMs) => new SluiceError("STREAM_IDLE", `after ${timeoutMs}`));
    });
    vi.advanceTimersByTime(20);

    await expect(late).rejects.toThrow("after 20");
  });

  it("rejects the last that is named, and lets it say more first", async () => {
    const end = begin(20);
    const first = vi.fn();
    end.rejectAtDeadline(first);
    const last = vi.fn();
    end.rejectAtDeadline(last);

    vi.advanceTimersToNextTimer();
    expect(last).not.toHaveBeenCalled();
    vi.advanceTimersToNextTimer();

    expect(last).toHaveBeenCalledExactlyOnceWith(end.expired);
    expect(first).not.toHaveBeenCalled();
  });
});
