import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import fc from "fast-check";
import type { EventInit } from "./events.ts";

/** The clock by which arbitrary events are valid or not. */
export const arbitraryNowMs = Date.UTC(2026, 0, 31, 12);

const dayMs = 24 * 60 * 60 * 1000;

/** Mostly short and harmless, now and then too long or with a control character. */
function text(lengthMax: number): fc.Arbitrary<string> {
  return fc.oneof(
    { arbitrary: fc.string({ unit: "grapheme", maxLength: 12 }), weight: 20 },
    { arbitrary: fc.constantFrom("__proto__", "constructor", "toString", "\u00a0", "\ufeff"), weight: 2 },
    { arbitrary: fc.string({ unit: "binary", minLength: lengthMax - 1, maxLength: lengthMax + 1 }), weight: 1 },
    { arbitrary: fc.constantFrom("\u0000", "a\u009f"), weight: 1 },
  );
}

function record<T>(
  key: fc.Arbitrary<string>,
  value: fc.Arbitrary<T>,
  maxKeys: number,
): fc.Arbitrary<Record<string, T>> {
  return fc.dictionary(key, value, { maxKeys, noNullPrototype: true });
}

const { json } = fc.letrec<{ json: JsonValue }>((tie) => ({
  json: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.oneof(
      { arbitrary: fc.constant(null), weight: 2 },
      { arbitrary: fc.boolean(), weight: 2 },
      { arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }), weight: 8 },
      { arbitrary: fc.string({ unit: "binary" }), weight: 8 },
      { arbitrary: fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY), weight: 1 },
    ),
    fc.array(tie("json"), { maxLength: 4 }),
    record(fc.oneof(fc.string({ unit: "binary" }), fc.constant("__proto__")), tie("json"), 4),
  ),
}));

const properties: fc.Arbitrary<JsonObject> = record(text(256), json, 6);

const time = fc.oneof(
  {
    arbitrary: fc.record({
      seconds: fc.bigInt(0n, BigInt((arbitraryNowMs + dayMs) / 1000)),
      nanos: fc.nat(999_999_999),
    }),
    weight: 8,
  },
  { arbitrary: fc.record({ seconds: fc.bigInt(-(1n << 63n), (1n << 63n) - 1n), nanos: fc.integer() }), weight: 1 },
);

/** Events as senders make them up, some of them invalid, all of them encodable. */
export const arbitraryEvent: fc.Arbitrary<EventInit> = fc.record(
  {
    id: text(128),
    name: fc.oneof(
      { arbitrary: fc.constantFrom("click", "page view"), weight: 3 },
      { arbitrary: text(256), weight: 1 },
    ),
    identities: fc.oneof(
      { arbitrary: record(text(64), text(256), 4), weight: 9 },
      { arbitrary: record(fc.uuid(), fc.constant("x"), 18), weight: 1 },
    ),
    time,
    value: fc.oneof({ arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }), weight: 9 }, fc.double()),
    properties,
    environment: text(64),
    test: fc.boolean(),
  },
  { requiredKeys: ["name"] },
);
