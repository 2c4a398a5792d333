import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Position } from "../../src/domain/cursor.ts";
import { isBefore } from "../../src/domain/cursor.ts";
import type { StoredEvent } from "../../src/domain/ports.ts";
import { createRecentEvents } from "../../src/redis/recent-events.ts";

const epoch = "recent-epoch";

/** Every second place of the stream is taken, so that there are positions between events. */
const placeOf = (index: number): Position => ({ epoch, ms: 1000 + Math.floor(index / 3), seq: 2 * (index % 3) });

function eventAt(index: number, bytes: number): StoredEvent {
  return {
    position: placeOf(index),
    bytes: new Uint8Array(bytes),
    entrance: "grpc",
    assignedId: undefined,
    isTimeAbsent: false,
    isTest: false,
  };
}

const start: Position = { epoch, ms: 0, seq: 0 };

describe("createRecentEvents", () => {
  it("gives all that is behind a position, or nothing, and stays within its bounds", () => {
    const sizes = fc.array(fc.oneof(fc.nat(100), fc.nat(20_000)), { minLength: 1, maxLength: 400 });
    fc.assert(
      fc.property(fc.array(sizes, { maxLength: 8 }), fc.integer({ min: 0, max: 1 << 20 }), (slices, bytesMax) => {
        const recent = createRecentEvents(start, bytesMax);
        const all: StoredEvent[] = [];
        for (const slice of slices) {
          const events = slice.map((bytes, index) => eventAt(all.length + index, bytes));
          all.push(...events);
          recent.add(events);
        }
        const behindOf = (after: Position) => all.filter(({ position }) => isBefore(after, position));
        const keptCount = Math.max(
          0,
          ...all.filter(({ position }) => recent.after(position)).map(({ position }) => behindOf(position).length),
        );
        const keptBytes = all.slice(all.length - keptCount).reduce((sum, { bytes }) => sum + bytes.length, 0);
        expect(keptBytes).toBeLessThanOrEqual(bytesMax);
        for (const { position } of all) {
          for (const after of [position, { ...position, seq: position.seq + 1 }]) {
            const behind = behindOf(after);
            const isKept = behind.length > 0 && behind.length <= keptCount;
            expect(recent.after(after)).toEqual(isKept ? behind.slice(0, 1000) : undefined);
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  it("gives all from its start on while nothing has been let go, a thousand at a time, of ten thousand at most", () => {
    const recent = createRecentEvents(start, 1 << 30);
    const events = Array.from({ length: 10_000 }, (_, index) => eventAt(index, 10));

    expect(recent.after(start)).toBeUndefined();
    recent.add(events.slice(0, 1500));
    expect(recent.after(start)).toEqual(events.slice(0, 1000));
    expect(recent.after(placeOf(999))).toEqual(events.slice(1000, 1500));
    recent.add(events.slice(1500));
    expect(recent.after(start)).toEqual(events.slice(0, 1000));
    recent.add([eventAt(10_000, 10)]);
    expect(recent.after(start)).toBeUndefined();
    expect(recent.after(placeOf(0))).toEqual(events.slice(1, 1001));
  });

  it("knows nothing of another data set", () => {
    const recent = createRecentEvents(start, 1 << 20);
    recent.add([eventAt(0, 10)]);

    expect(recent.after({ ...start, epoch: "other" })).toBeUndefined();
  });

  it("forgets all when it starts anew, and lets go what no longer has room", () => {
    const recent = createRecentEvents(start, 1 << 20);
    const events = Array.from({ length: 10 }, (_, index) => eventAt(index, 700));
    recent.add(events);

    recent.limit(3000);
    expect(recent.after(placeOf(6))).toEqual(events.slice(7));
    expect(recent.after(placeOf(5))).toBeUndefined();

    recent.restart(placeOf(3));
    expect(recent.after(placeOf(6))).toBeUndefined();
    recent.add(events.slice(4, 6));
    expect(recent.after(placeOf(3))).toEqual(events.slice(4, 6));
  });
});
