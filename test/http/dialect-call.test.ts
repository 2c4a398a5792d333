import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SluiceError } from "../../src/domain/errors.ts";
import { startCall } from "../../src/http/dialect-call.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

/** Why a call was given up, if it was. */
function watch(givenUp: Promise<never>): { reason: unknown } {
  const watched: { reason: unknown } = { reason: undefined };
  givenUp.catch((thrown: unknown) => {
    watched.reason = thrown;
  });
  return watched;
}

describe("a call", () => {
  it("is given up when its request does not come in time", async () => {
    const call = startCall(1000);
    const watched = watch(call.givenUp);

    await vi.advanceTimersByTimeAsync(999);
    expect(call.signal.aborted).toBe(false);
    expect(call.remainingMs()).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(watched.reason).toMatchObject({ reason: "STREAM_IDLE" });
    expect(call.signal.reason).toBe(watched.reason);
    expect(call.remainingMs()).toBe(0);
  });

  it("has storage tell what became of its events first, when those take too long", async () => {
    const call = startCall(1000);
    const watched = watch(call.givenUp);
    call.isRead = true;

    await vi.advanceTimersByTimeAsync(1000);
    expect(call.signal.reason).toMatchObject({ reason: "DEADLINE_EXCEEDED" });
    expect(watched.reason).toBeUndefined();
    await vi.advanceTimersByTimeAsync(3000);
    expect(watched.reason).toBe(call.signal.reason);
  });

  it("leaves no timer once it has ended", async () => {
    const calls = [startCall(1000), startCall(1000)];
    const [ended, late] = calls;
    if (ended === undefined || late === undefined) throw new Error("two calls");
    late.isRead = true;
    ended.end();
    await vi.advanceTimersByTimeAsync(1000);
    late.end();

    expect(vi.getTimerCount()).toBe(0);
    expect(ended.signal.aborted).toBe(false);
  });

  it("is given up when it is aborted", async () => {
    const call = startCall(1000);
    const watched = watch(call.givenUp);
    const reason = new SluiceError("CALL_ENDED", "gone");
    call.abort(reason);
    call.end();
    await vi.advanceTimersByTimeAsync(0);

    expect([watched.reason, call.signal.reason]).toEqual([reason, reason]);
  });
});
