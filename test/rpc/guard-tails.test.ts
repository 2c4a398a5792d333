import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { TailEventsRequestSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import { SluiceError } from "../../src/domain/errors.ts";
import type { TailBatch } from "../../src/domain/tail-events.ts";
import { guardTails } from "../../src/rpc/guard-tails.ts";
import { callerOf, newProject } from "../support/events.ts";
import { fakeEventHandlers, storedEvent } from "../support/fake-event-handlers.ts";

const request = create(TailEventsRequestSchema);
const batch: TailBatch = { events: [storedEvent], reached: storedEvent.position };

function setUp(tailsMax = 10) {
  const handlers = fakeEventHandlers();
  const guarded = guardTails(handlers, tailsMax);
  const open = () => {
    const aborter = new AbortController();
    const caller = callerOf(newProject(), { signal: aborter.signal });
    return { tail: guarded.tailEvents(caller, request), abort: (reason?: unknown) => aborter.abort(reason) };
  };
  return { handlers, open };
}

describe("guardTails", () => {
  it("opens so many at a time, and another once one is over", async () => {
    const { open } = setUp(2);
    const tails = [open(), open()];
    for (const { tail } of tails) await tail.next();

    await expect(open().tail.next()).rejects.toMatchObject({ reason: "OVERLOADED" });

    tails[0]?.abort();
    expect(await open().tail.next()).toMatchObject({ done: false });
    await expect(open().tail.next()).rejects.toMatchObject({ reason: "OVERLOADED" });
  });

  it.each([
    ["for the reason that the signal has", new SluiceError("DEADLINE_EXCEEDED", "too late"), "DEADLINE_EXCEEDED"],
    ["as CALL_ENDED where it has none of ours", undefined, "CALL_ENDED"],
  ])("ends a tail that waits, %s", async (_, reason, expected) => {
    const { open } = setUp();
    const { tail, abort } = open();
    await tail.next();
    const next = tail.next();

    abort(reason);

    await expect(next).rejects.toMatchObject({ reason: expected });
    expect(await tail.next()).toMatchObject({ done: true });
  });

  it("opens none for a caller who is gone already", async () => {
    const { handlers, open } = setUp();
    const { tail, abort } = open();
    abort();

    await expect(tail.next()).rejects.toMatchObject({ reason: "CALL_ENDED" });
    expect(handlers.calls).toEqual([]);
  });

  it.each(["is not asked for its next answer", "is given up"])("returns a tail that %s", async (how) => {
    const { handlers, open } = setUp();
    const { promise: returned, resolve } = Promise.withResolvers<void>();
    handlers.tail = async function* () {
      try {
        for (;;) yield batch;
      } finally {
        resolve();
      }
    };
    const { tail, abort } = open();
    expect(await tail.next()).toEqual({ done: false, value: batch });

    if (how === "is given up") await tail.return(undefined);
    else abort();

    await returned;
  });

  it("asks for an answer only when one is wanted", async () => {
    const { handlers, open } = setUp();
    let asked = 0;
    handlers.tail = async function* () {
      for (;;) {
        asked++;
        yield batch;
      }
    };
    const { tail } = open();

    for (let i = 1; i <= 3; i++) {
      await tail.next();
      expect(asked).toBe(i);
    }
  });

  it("tells why the tail itself has ended", async () => {
    const { handlers, open } = setUp();
    handlers.failure = new SluiceError("CURSOR_EXPIRED", "gone");

    await expect(open().tail.next()).rejects.toBe(handlers.failure);
  });
});
