import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { SluiceError } from "../../src/domain/errors.ts";
import { createTurns, type Taker } from "../../src/redis/turns.ts";

/** Tasks that end when they are told to. */
function setUp(atOnce: number, waitMs: Record<Taker, number> = { call: 60_000, tail: 60_000 }) {
  const turns = createTurns(atOnce, waitMs);
  const begun: number[] = [];
  const ends: PromiseWithResolvers<number>[] = [];
  const take = (i: number, taker: Taker = "call", signal?: AbortSignal) => {
    const task = () => {
      begun.push(i);
      ends[i] = Promise.withResolvers<number>();
      return ends[i].promise;
    };
    return turns.take(taker, task, signal);
  };
  return {
    begun,
    take,
    end: (i: number) => ends[i]?.resolve(i),
    fail: (i: number, error: Error) => ends[i]?.reject(error),
  };
}

describe("createTurns", () => {
  it("runs so many tasks at a time, the others in the order in which they came", async () => {
    const { begun, take, end } = setUp(2);
    const taken = [0, 1, 2, 3].map((i) => take(i));
    expect(begun).toEqual([0, 1]);

    end(1);
    expect(await taken[1]).toBe(1);
    expect(begun).toEqual([0, 1, 2]);
    end(0);
    await taken[0];
    expect(begun).toEqual([0, 1, 2, 3]);
    end(2);
    end(3);
    expect(await Promise.all(taken)).toEqual([0, 1, 2, 3]);

    const later = take(4);
    expect(begun).toHaveLength(5);
    end(4);
    await later;
  });

  it("runs one of a call and one of a tail in turn, while both wait", async () => {
    const { begun, take, end } = setUp(1);
    const takers: Taker[] = ["tail", "tail", "tail", "tail", "call", "call", "tail"];
    const taken = takers.map((taker, i) => take(i, taker));
    for (let i = 0; i < takers.length; i++) {
      const running = begun[i] ?? Number.NaN;
      end(running);
      await taken[running];
    }

    expect(begun).toEqual([0, 4, 1, 5, 2, 3, 6]);
  });

  it("fails those who wait when storage is away, and none when a task fails for itself", async () => {
    const { begun, take, end, fail } = setUp(1);
    const [first, second, third] = [0, 1, 2].map((i) => take(i));
    const tail = take(3, "tail");
    fail(0, new SluiceError("INTERNAL", "a fault"));
    await expect(first).rejects.toMatchObject({ reason: "INTERNAL" });
    expect(begun).toEqual([0, 3]);

    fail(3, new Error("Command timed out"));
    await expect(tail).rejects.toThrow("Command timed out");
    await expect(second).rejects.toMatchObject({ reason: "STORAGE_UNAVAILABLE" });
    await expect(third).rejects.toMatchObject({ reason: "STORAGE_UNAVAILABLE" });
    expect(begun).toEqual([0, 3]);

    const next = take(4);
    end(4);
    expect(await next).toBe(4);
  });

  it.each<[Taker, Taker]>([
    ["call", "tail"],
    ["tail", "call"],
  ])("lets no %s wait for ever", async (taker, other) => {
    const waitMs = { call: 60_000, tail: 60_000, [taker]: 10 };
    const { begun, take, end } = setUp(1, waitMs);
    const first = take(0);
    const patient = take(2, other);

    await expect(take(1, taker)).rejects.toMatchObject({ reason: "OVERLOADED" });
    end(0);
    await first;
    expect(begun).toEqual([0, 2]);
    end(2);
    await patient;
  });

  it("lets those go who no longer want their turn, and leaves nothing at their signals", async () => {
    const { begun, take, end } = setUp(1);
    const [leaving, staying] = [new AbortController(), new AbortController()];
    const first = take(0);
    const left = expect(take(1, "tail", leaving.signal)).rejects.toMatchObject({ reason: "SHUTTING_DOWN" });
    const stayed = take(2, "tail", staying.signal);

    leaving.abort(new SluiceError("SHUTTING_DOWN", "enough"));
    await left;
    end(0);
    await first;

    expect(begun).toEqual([0, 2]);
    await expect(take(3, "call", AbortSignal.abort())).rejects.toMatchObject({ reason: "CALL_ENDED" });
    end(2);
    await stayed;
    expect([leaving, staying].flatMap(({ signal }) => getEventListeners(signal, "abort"))).toEqual([]);
  });
});
