import { describe, expect, it } from "vitest";
import { SluiceError } from "../../src/domain/errors.ts";
import { createTurns } from "../../src/redis/turns.ts";

/** Tasks that end when they are told to. */
function setUp(atOnce: number, waitMs = 60_000) {
  const turns = createTurns(atOnce, waitMs);
  const begun: number[] = [];
  const ends: PromiseWithResolvers<number>[] = [];
  const take = (i: number) =>
    turns.take(() => {
      begun.push(i);
      ends[i] = Promise.withResolvers<number>();
      return ends[i].promise;
    });
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
    const taken = [0, 1, 2, 3].map(take);
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

  it("fails those who wait when storage is away, and none when a task fails for itself", async () => {
    const { begun, take, end, fail } = setUp(1);
    const [first, second, third] = [0, 1, 2].map(take);
    fail(0, new SluiceError("INTERNAL", "a fault"));
    await expect(first).rejects.toMatchObject({ reason: "INTERNAL" });
    expect(begun).toEqual([0, 1]);

    fail(1, new Error("Command timed out"));
    await expect(second).rejects.toThrow("Command timed out");
    await expect(third).rejects.toMatchObject({ reason: "STORAGE_UNAVAILABLE" });
    expect(begun).toEqual([0, 1]);

    const next = take(3);
    end(3);
    expect(await next).toBe(3);
  });

  it("lets nobody wait for ever", async () => {
    const { begun, take, end } = setUp(1, 10);
    const first = take(0);

    await expect(take(1)).rejects.toMatchObject({ reason: "OVERLOADED" });
    end(0);
    await first;
    expect(begun).toEqual([0]);
  });
});
