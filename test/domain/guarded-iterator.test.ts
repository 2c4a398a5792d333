import { describe, expect, it } from "vitest";
import { SluiceError } from "../../src/domain/errors.ts";
import { guardIterator } from "../../src/domain/guarded-iterator.ts";
import { createMessageQueue } from "../support/message-queue.ts";

const neverMs = 60_000;
const silence = () => createMessageQueue<string>(() => {});
const shutdown = new SluiceError("SHUTTING_DOWN", "the server is shutting down");

describe("guardIterator", () => {
  it("hands on what the source yields, in order, and its end", async () => {
    async function* source() {
      yield "a";
      yield "b";
    }
    const guarded = guardIterator(source(), neverMs);

    expect(await guarded.next()).toEqual({ done: false, value: "a" });
    expect(await guarded.next()).toEqual({ done: false, value: "b" });
    expect(await guarded.next()).toEqual({ done: true, value: undefined });
  });

  it("asks the source for a message only when one is wanted", async () => {
    let asked = 0;
    const source = createMessageQueue<string>(() => {
      asked++;
      source.push("a");
    });
    const guarded = guardIterator(source, neverMs);

    expect(asked).toBe(0);
    await guarded.next();
    expect(asked).toBe(1);
  });

  it("hands on the error of the source", async () => {
    const source = silence();
    const next = guardIterator(source, neverMs).next();
    source.fail(shutdown);

    await expect(next).rejects.toBe(shutdown);
  });

  it("rejects with STREAM_IDLE when the source is silent, and stays so", async () => {
    const source = silence();
    const guarded = guardIterator(source, 1);

    await expect(guarded.next()).rejects.toMatchObject({ reason: "STREAM_IDLE" });
    source.push("too late");
    await expect(guarded.next()).rejects.toMatchObject({ reason: "STREAM_IDLE" });
  });

  it("rejects the pending next with what interrupts it", async () => {
    const guarded = guardIterator(silence(), neverMs);
    const next = guarded.next();
    guarded.interrupt(shutdown);

    await expect(next).rejects.toBe(shutdown);
  });

  it("rejects the following next when nothing is pending, without asking the source", async () => {
    let asked = 0;
    const guarded = guardIterator(
      createMessageQueue<string>(() => asked++),
      neverMs,
    );
    guarded.interrupt(shutdown);

    await expect(guarded.next()).rejects.toBe(shutdown);
    expect(asked).toBe(0);
  });

  it("keeps to the first interruption", async () => {
    const guarded = guardIterator(silence(), neverMs);
    guarded.interrupt(shutdown);
    guarded.interrupt(new SluiceError("CALL_ENDED", "the caller cancelled"));

    await expect(guarded.next()).rejects.toBe(shutdown);
  });

  it("aborts its signal with the first interruption, and not before", async () => {
    const guarded = guardIterator(silence(), neverMs);
    expect(guarded.signal.aborted).toBe(false);
    guarded.interrupt(shutdown);
    guarded.interrupt(new SluiceError("CALL_ENDED", "the caller cancelled"));

    expect(guarded.signal.reason).toBe(shutdown);
  });

  it("lets a source that fails after an interruption fail unheard", async () => {
    const source = silence();
    const guarded = guardIterator(source, neverMs);
    const next = guarded.next();
    guarded.interrupt(shutdown);
    source.fail(new Error("connection lost"));

    await expect(next).rejects.toBe(shutdown);
    await expect(guarded.next()).rejects.toBe(shutdown);
  });
});
