import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Event } from "../../gen/sluice/v1/event_pb.ts";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import { encodeEvent } from "../../src/domain/encode-event.ts";
import { validateEvent } from "../../src/domain/validate-event.ts";
import { arbitraryEvent, arbitraryNowMs as nowMs } from "../support/arbitrary-events.ts";
import { collectGarbage } from "../support/collect-garbage.ts";
import type { EventInit } from "../support/events.ts";
import { waitUntil } from "../support/wait-until.ts";

const eventOf = (init: EventInit) => create(EventSchema, { name: "click", ...init });

/** As the protobuf library has it. */
function encodeByLibrary({ receiveTime: _, ...event }: Event): Uint8Array {
  return toBinary(EventSchema, { ...event, cursor: "", entrance: "" }, { writeUnknownFields: false });
}

function expectSame(event: Event): void {
  const encoded = encodeEvent(event);
  const expected = encodeByLibrary(event);
  // As buffers, since unequal arrays of this size take seconds to print.
  expect(Buffer.compare(encoded, expected)).toBe(0);
  expect(fromBinary(EventSchema, encoded)).toEqual(fromBinary(EventSchema, expected));
}

/** Texts whose lengths are where a length takes another byte, or another way of writing begins. */
const edgeText = fc
  .record({
    unit: fc.constantFrom("x", "é", "€", "🛝", "\u0000"),
    length: fc.constantFrom(0, 1, 31, 42, 43, 47, 48, 49, 63, 64, 126, 127, 128, 129, 5461, 16_370),
    end: fc.constantFrom("", "x", "ÿ", "🛝"),
  })
  .map(({ unit, length, end }) => unit.repeat(Math.floor(length / Buffer.byteLength(unit))) + end);

describe("encodeEvent", () => {
  it.each<[what: string, init: EventInit]>([
    ["nothing but a name", {}],
    ["an id", { id: "é" }],
    ["identities", { identities: { user: "u1", 7: "x", ["__proto__"]: "y" } }],
    ["the time 0", { time: { seconds: 0n, nanos: 0 } }],
    ["a time of nanoseconds only", { time: { seconds: 0n, nanos: 999_999_999 } }],
    ["a time of today", { time: timestampFromMs(nowMs) }],
    ["a time beyond 32 bits", { time: { seconds: 1n << 33n, nanos: 128 } }],
    ["the value 0", { value: 0 }],
    ["the value -0", { value: -0 }],
    ["the least value", { value: Number.MIN_VALUE }],
    ["no properties", { properties: {} }],
    ["empty properties", { properties: { a: "", b: null, c: false, d: 0, e: [], f: {}, g: [[]], h: [{}] } }],
    ["properties by number", { properties: { b: 1, 10: 2, 9: 3, a: { 1: null, 0: true } } }],
    ["properties called __proto__", { properties: { ["__proto__"]: { ["__proto__"]: ["x", { ["__proto__"]: 1 }] } } }],
    ["properties 16 deep", { properties: { a: JSON.parse(`${"[".repeat(15)}1${"]".repeat(15)}`) } }],
    ["many properties", { properties: Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`k${i}`, i / 3])) }],
    ["an environment", { environment: "production" }],
    ["a test", { test: true }],
  ])("writes %s as the library does", (_, init) => {
    expectSame(eventOf(init));
  });

  it("writes every valid event as the library does", () => {
    let validCount = 0;
    fc.assert(
      fc.property(arbitraryEvent, (init) => {
        const event = eventOf(init);
        if (validateEvent(event, nowMs) !== undefined) return;
        validCount++;
        expectSame(event);
      }),
      { numRuns: 2000 },
    );
    expect(validCount).toBeGreaterThan(500);
  });

  it("writes texts and messages of every length as the library does", () => {
    fc.assert(
      fc.property(edgeText, edgeText, fc.array(edgeText, { maxLength: 4 }), (id, key, list) => {
        expectSame(eventOf({ id, identities: { [key]: id }, properties: { [key]: list, [id]: { [key]: id } } }));
      }),
    );
  });

  it("leaves out what only the server may set, and unknown fields", () => {
    const event = eventOf({ cursor: "c", receiveTime: timestampFromMs(1), entrance: "grpc" });
    event.$unknown = [{ no: 99, wireType: 0, data: Uint8Array.of(1) }];

    expect(fromBinary(EventSchema, encodeEvent(event))).toEqual(eventOf({}));
    expect(event.cursor).toBe("c");
  });

  it("does not keep the memory that a large event took", async () => {
    await collectGarbage();
    const before = process.memoryUsage().arrayBuffers;
    encodeEvent(eventOf({ properties: { a: "é".repeat(8 << 20) } }));

    // A collection lets go of it, but may count it still.
    await waitUntil(async () => {
      await collectGarbage();
      return process.memoryUsage().arrayBuffers - before < 4 << 20;
    });
  });

  it("keeps an encoding as it is while others are made, after those of several megabytes too", () => {
    const sizes = [10, 5000, 70_000, 3 << 20, 10, 900_000, 5000];
    const events = sizes.map((size, i) => eventOf({ id: `e${i}`, properties: { a: "é".repeat(size / 2), b: i } }));
    const encodings = events.map(encodeEvent);

    for (const [i, event] of events.entries()) {
      expect(Buffer.compare(encodings[i] ?? Buffer.of(), encodeByLibrary(event))).toBe(0);
    }
  });
});
