import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createTailBudget } from "../../src/rpc/tail-budget.ts";

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

describe("createTailBudget", () => {
  it("never passes its bound by more than one answer, and lets in those who wait in the order of asking", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(100), { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 1, max: 200 }),
        async (sizes, bytesMax) => {
          const budget = createTailBudget(bytesMax);
          const { signal } = new AbortController();
          const held: number[] = [];
          const order: number[] = [];
          for (const [i, bytes] of sizes.entries()) {
            if (budget.tryTake(bytes)) {
              held.push(bytes);
              order.push(i);
              continue;
            }
            void budget.takeInTurn(bytes, signal, 1000).then((isTaken) => {
              expect(isTaken).toBe(true);
              held.push(bytes);
              order.push(i);
            });
          }
          while (held.length > 0) {
            await vi.advanceTimersByTimeAsync(0);
            const sum = held.reduce((total, bytes) => total + bytes, 0);
            expect(sum).toBeLessThan(bytesMax + 101);
            budget.release(held.shift() ?? 0);
            await vi.advanceTimersByTimeAsync(0);
          }

          expect(order).toEqual(sizes.map((_, i) => i));
          expect(vi.getTimerCount()).toBe(0);
        },
      ),
    ));

  it("lets those go whose time is up, or whose caller is gone, and counts nothing for them", async () => {
    const budget = createTailBudget(10);
    const leaving = new AbortController();
    expect(budget.tryTake(10)).toBe(true);
    const late = budget.takeInTurn(10, new AbortController().signal, 5);
    const left = budget.takeInTurn(10, leaving.signal, 1000);
    leaving.abort();
    await vi.advanceTimersByTimeAsync(5);

    expect([await late, await left]).toEqual([false, false]);
    expect(await budget.takeInTurn(1, leaving.signal, 1000)).toBe(false);
    budget.release(10);
    expect(budget.tryTake(10)).toBe(true);
  });

  it("takes nothing at once in front of those who wait", async () => {
    const budget = createTailBudget(10);
    expect(budget.tryTake(10)).toBe(true);
    expect(budget.tryTake(0)).toBe(false);
    const waiting = budget.takeInTurn(20, new AbortController().signal, 1000);

    budget.release(10);

    expect(await waiting).toBe(true);
    expect(budget.tryTake(0)).toBe(false);
  });
});
