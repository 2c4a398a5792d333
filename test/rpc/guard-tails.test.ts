import { getEventListeners } from "node:events";
import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { TailEventsRequestSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import { answerBytes } from "../../src/domain/answer-bytes.ts";
import { SluiceError } from "../../src/domain/errors.ts";
import type { Caller } from "../../src/domain/project.ts";
import type { TailBatch } from "../../src/domain/tail-events.ts";
import { guardTails } from "../../src/rpc/guard-tails.ts";
import { callerOf, newProject } from "../support/events.ts";
import { fakeEventHandlers, storedEvent } from "../support/fake-event-handlers.ts";

const request = create(TailEventsRequestSchema);
const batch: TailBatch = { events: [storedEvent], reached: storedEvent.position };
const silence: TailBatch = { events: [], reached: storedEvent.position };

/** What its one event counts: twice its size in an answer. */
const batchBytes = 2 * answerBytes(storedEvent);

function setUp(tailsMax = 10, bytesMax?: number) {
  const handlers = fakeEventHandlers();
  const guarded = guardTails(handlers, tailsMax, bytesMax);
  const open = (key: Partial<Caller> = {}) => {
    const aborter = new AbortController();
    const caller = callerOf(newProject(), { ...key, signal: aborter.signal });
    return { caller, tail: guarded.tailEvents(caller, request), abort: (reason?: unknown) => aborter.abort(reason) };
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

describe("answers that are not taken", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  /** Tails that begin with an empty batch, and then have one after the other, of which so many fit. */
  async function openTails(count: number, batchesMax: number) {
    const { handlers, open } = setUp(count, batchesMax * batchBytes);
    let made = 0;
    handlers.tail = async function* () {
      yield silence;
      for (;;) {
        made++;
        yield batch;
      }
    };
    const tails = Array.from({ length: count }, () => open());
    for (const { tail } of tails) expect(await tail.next()).toEqual({ done: false, value: silence });
    return { tails: tails.map(({ tail }) => tail), aborts: tails.map(({ abort }) => abort), made: () => made };
  }

  /** Asks a tail for its next answer, and says what has come of it so far. */
  function ask(tail: AsyncGenerator<TailBatch>) {
    const answers: unknown[] = [];
    tail.next().then(
      ({ value }) => answers.push(value),
      ({ reason }) => answers.push(reason),
    );
    return answers;
  }

  const settle = () => vi.advanceTimersByTimeAsync(0);

  it("keep other tails from reading on, who only show that they live every 2 s, until one is taken", async () => {
    const { tails, made } = await openTails(3, 2);
    const asked: unknown[][] = [];
    for (const tail of tails) {
      asked.push(ask(tail));
      await settle();
    }
    const [first, second, third] = asked;
    expect([first, second, third]).toEqual([[batch], [batch], []]);
    expect(made()).toBe(2);

    await vi.advanceTimersByTimeAsync(2000);
    expect(third).toEqual([silence]);
    const again = ask(tails[2] as AsyncGenerator<TailBatch>);
    await vi.advanceTimersByTimeAsync(1999);
    expect(again).toEqual([]);

    // It has taken its last answer.
    const next = ask(tails[0] as AsyncGenerator<TailBatch>);
    await settle();
    expect(again).toEqual([silence]);
    expect(next).toEqual([batch]);
  });

  it("let through one at a time, in the order of asking, those that have a batch already", async () => {
    const { handlers, open } = setUp(10, batchBytes);
    const gate = Promise.withResolvers<void>();
    handlers.tail = async function* () {
      yield silence;
      await gate.promise;
      for (;;) yield batch;
    };
    const tails = Array.from({ length: 3 }, () => open());
    for (const { tail } of tails) await tail.next();
    const answers = tails.map(({ tail }) => ask(tail));
    gate.resolve();
    await settle();
    expect(answers).toEqual([[batch], [], []]);

    tails[0]?.abort();
    await settle();
    expect(answers).toEqual([[batch], [silence], []]);
    const second = ask(tails[1]?.tail as AsyncGenerator<TailBatch>);
    await settle();
    expect(second).toEqual([batch]);

    await tails[1]?.tail.return(undefined);
    await settle();
    expect(answers[2]).toEqual([silence]);
  });

  it("are free once their tail is over, also while nobody asks for the next", async () => {
    const { tails, aborts, made } = await openTails(4, 1);
    for (const [i, tail] of tails.entries()) {
      expect(ask(tail)).toEqual([]);
      await settle();
      expect(made()).toBe(i + 1);
      aborts[i]?.();
    }
  });

  it("end a wait for room when the caller is gone, and leave nothing behind", async () => {
    const { handlers, open } = setUp(2, 1);
    handlers.tail = async function* () {
      yield silence;
      for (;;) yield batch;
    };
    const [stuck, waiting] = [open(), open()];
    for (const { tail } of [stuck, waiting]) await tail.next();
    ask(stuck.tail);
    await settle();
    const answers = ask(waiting.tail);
    await settle();

    waiting.abort();
    await settle();

    expect(answers).toEqual(["CALL_ENDED"]);
    expect(vi.getTimerCount()).toBe(0);
    expect(getEventListeners(waiting.caller.signal, "abort")).toEqual([]);
  });

  it.each([
    ["allows it no more", "KEY_INVALID"],
    ["is bound to other environments", "OVERLOADED"],
  ])("do not let a tail hand out, after a wait, what it read before its key %s", async (_, expected) => {
    let change = () => {};
    const key = { environments: ["production"], recheckKey: () => change() };
    const { handlers, open } = setUp(2, batchBytes);
    const gate = Promise.withResolvers<void>();
    handlers.tail = async function* () {
      yield silence;
      await gate.promise;
      for (;;) yield batch;
    };
    const [stuck, waiting] = [open(), open(key)];
    for (const { tail } of [stuck, waiting]) await tail.next();
    ask(stuck.tail);
    const answers = ask(waiting.tail);
    gate.resolve();
    await settle();
    change = () => {
      if (expected === "KEY_INVALID") throw new SluiceError("KEY_INVALID", "no more");
      Object.assign(waiting.caller, { environments: [] });
    };

    stuck.abort();
    await settle();

    expect(answers).toEqual([expected]);
  });
});
