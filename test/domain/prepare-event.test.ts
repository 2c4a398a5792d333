import type { JsonValue } from "@bufbuild/protobuf";
import { create, equals, fromBinary, toBinary, toJson } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import type { OfferedEvent } from "../../src/domain/event.ts";
import type { EventToAppend } from "../../src/domain/ports.ts";
import type { RejectedEvent, Sender } from "../../src/domain/prepare-event.ts";
import { prepareEvent } from "../../src/domain/prepare-event.ts";
import { isSameEvent } from "../../src/domain/same-event.ts";
import { validateEvent } from "../../src/domain/validate-event.ts";
import { toEvent } from "../../src/rpc/event-encoding.ts";
import { arbitraryEvent, arbitraryNowMs as nowMs } from "../support/arbitrary-events.ts";
import type { EventInit } from "../support/events.ts";
import { encodeEvent, newProject, unreadableEvent } from "../support/events.ts";
import { field, join, strangeFieldsOf, varint } from "../support/wire-fields.ts";

const full: EventInit = {
  id: "order-1",
  name: "purchase",
  identities: { user: "u1", ["__proto__"]: "x" },
  time: timestampFromMs(nowMs),
  value: 1.5,
  properties: { a: [1, "x", null, { b: true }], ["__proto__"]: { c: "d" } },
  environment: "production",
  test: true,
};
const outputOnly: EventInit = { cursor: "c", receiveTime: timestampFromMs(1), entrance: "grpc" };

/** Prepares an event of a sender whom nothing keeps from anything, unless told so. */
function prepare(offered: OfferedEvent, sender: Partial<Sender> = {}): EventToAppend | RejectedEvent {
  return prepareEvent(offered, nowMs, { project: newProject(), environments: [], ...sender });
}

function accept(prepared: EventToAppend | RejectedEvent): EventToAppend {
  if ("bytes" in prepared) return prepared;
  throw new Error(`rejected: ${JSON.stringify(prepared)}`);
}

const decode = (bytes: Uint8Array) => fromBinary(EventSchema, bytes);

/** The event as a reader gets it, as JSON. */
function print(event: EventToAppend): JsonValue {
  const { bytes, isTimeAbsent, isTest } = event;
  const position = { epoch: "abcdefghijkl", ms: nowMs, seq: 1 };
  const assignedId = event.isIdAssigned ? event.id : undefined;
  return toJson(EventSchema, toEvent({ position, bytes, entrance: "grpc", assignedId, isTimeAbsent, isTest }));
}

/** Properties that bring the encoding of an event to this size. */
function eventOfBytes(size: number): EventInit {
  const properties: Record<string, string> = Object.fromEntries(
    Array.from({ length: 50 }, (_, i) => [`property-${i}`, "x".repeat(15_975)]),
  );
  const missing = size - encodeEvent({ name: "n", properties }).length;
  return { name: "n", properties: { ...properties, "property-0": "x".repeat(15_975 + missing) } };
}

describe("prepareEvent", () => {
  it("rejects what could not be read, and says why", () => {
    expect(prepare(unreadableEvent("is not a JSON Event"))).toEqual({
      kind: "rejected",
      id: "",
      reason: "MALFORMED",
      violation: { field: "", message: "is not a JSON Event" },
    });
  });

  it("keeps clean bytes as they were sent", () => {
    const bytes = encodeEvent(full);

    expect(accept(prepare(bytes)).bytes).toBe(bytes);
  });

  it("takes from the event what is stored beside it", () => {
    expect(prepare(encodeEvent(full))).toMatchObject({
      id: "order-1",
      isIdAssigned: false,
      isTimeAbsent: false,
      isTest: true,
    });
  });

  it("assigns a UUIDv7 to an event without an id, beside its bytes", () => {
    const bytes = encodeEvent({ name: "click" });
    const prepared = accept(prepare(bytes));

    expect(prepared).toMatchObject({ isIdAssigned: true, isTimeAbsent: true, isTest: false });
    expect(prepared.id).toMatch(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
    expect(prepared.bytes).toBe(bytes);
    expect(print(prepared)).toMatchObject({ id: prepared.id, time: "2026-01-31T12:00:00Z" });
  });

  const nested = (...fields: Uint8Array[]) => field(6, field(1, field(1, "p"), field(2, ...fields)));
  const name = field(2, "click");
  const stripped: [what: string, sent: Uint8Array, kept: EventInit][] = [
    ["an unknown field", join(name, varint(99, 1)), {}],
    [
      "an unknown field in an identity",
      join(name, field(3, field(1, "k"), field(2, "v"), varint(9, 1))),
      { identities: { k: "v" } },
    ],
    ["an unknown field in a time", join(name, field(4, varint(1, 7), varint(9, 1))), { time: { seconds: 7n } }],
    ["an unknown field in properties", join(name, field(6, varint(9, 1))), { properties: {} }],
    ["an unknown field in a Value", join(name, nested(field(3, "x"), varint(9, 1))), { properties: { p: "x" } }],
    ["an unknown field in a list", join(name, nested(field(6, varint(9, 1)))), { properties: { p: [] } }],
    ["an unknown field in a nested Struct", join(name, nested(field(5, varint(9, 1)))), { properties: { p: {} } }],
    ["what only the server may set", encodeEvent({ ...full, ...outputOnly }), full],
    ["a name that another follows", join(field(2, "\u0000"), name), {}],
    ["a kind that another follows", join(name, nested(varint(1, 0), field(3, "x"))), { properties: { p: "x" } }],
  ];
  it.each(stripped)("encodes the event again without %s", (_, sent, kept) => {
    const { bytes } = accept(prepare(sent));

    expect(decode(bytes)).toEqual(decode(encodeEvent({ name: "click", ...kept })));
    expect(strangeFieldsOf(bytes)).toEqual([]);
  });

  it("encodes an event that came as a message, and leaves the message as it was", () => {
    const message = create(EventSchema, { ...full, ...outputOnly });
    const { bytes } = accept(prepare(message));

    expect(decode(bytes)).toEqual(decode(encodeEvent(full)));
    expect(message).toEqual(create(EventSchema, { ...full, ...outputOnly }));
  });

  it("rejects a Value without kind with its path", () => {
    const sent = join(field(1, "a"), name, nested(field(6, field(1, varint(1, 0)), field(1))));

    expect(prepare(sent)).toEqual({
      kind: "rejected",
      id: "a",
      reason: "EVENT_INVALID",
      violation: { field: "properties.p[1]", message: "has no kind" },
    });
  });

  it("repeats at most 128 well-formed characters of a rejected event's id", () => {
    const long = prepare(encodeEvent({ name: "click", id: `${"i".repeat(127)}${"🛝".repeat(9)}` }));
    const broken = prepare(create(EventSchema, { name: "click", id: "a\ud800" }));

    expect(long.id).toBe(`${"i".repeat(127)}\ufffd`);
    expect(broken.id).toBe("a\ufffd");
  });

  it.each([
    ["text", Buffer.from("not protobuf")],
    ["a field that ends early", field(2, "click").subarray(0, 4)],
    ["a tag without a field", join(name, Uint8Array.of(0x0a))],
    ["field 0", Uint8Array.of(0x00, 0x00)],
    ["a group that never ends", Uint8Array.of(0x9b, 0x06)],
    ["a length over the end", Uint8Array.of(0x12, 0xff, 0xff, 0xff, 0xff, 0x0f)],
    ["a field with another wire type", Uint8Array.of(0x14, 1, 0x61)],
    ["a message that is longer than it says", Uint8Array.of(0x22, 1, 0x08, 5)],
    ["a Struct that is nested too deep to be decoded", join(name, inStructs(200))],
    ["invalid UTF-8 in an id", field(1, Uint8Array.of(0xff))],
    ["an overlong NUL in a name", field(2, Uint8Array.of(0xc0, 0x80))],
    ["a surrogate in an environment", field(7, Uint8Array.of(0xed, 0xa0, 0x80))],
    ["invalid UTF-8 in a kind of identity", field(3, field(1, Uint8Array.of(0x80)))],
    ["invalid UTF-8 in an identity", field(3, field(1, "user"), field(2, Uint8Array.of(0x80)))],
    ["invalid UTF-8 in the name of a property", field(6, field(1, field(1, Uint8Array.of(0xc3))))],
    ["invalid UTF-8 in a property", join(name, nested(field(3, Uint8Array.of(0xf4, 0x90, 0x80, 0x80))))],
  ])("rejects as MALFORMED: %s", (_, bytes) => {
    expect(prepare(bytes)).toMatchObject({
      kind: "rejected",
      id: "",
      reason: "MALFORMED",
      violation: { field: "", message: expect.stringMatching(/^is not a protobuf Event: /) },
    });
  });

  it("takes an event of 799,999 bytes, and rejects one of 800,000", () => {
    const taken = encodeEvent(eventOfBytes(799_999));
    const refused = encodeEvent(eventOfBytes(800_000));

    expect(accept(prepare(taken)).bytes).toHaveLength(799_999);
    expect(prepare(refused)).toMatchObject({
      reason: "EVENT_INVALID",
      violation: { field: "", message: "is not smaller than 800000 bytes" },
    });
    expect(prepare(decode(refused))).toMatchObject({ reason: "EVENT_INVALID" });
  });

  it("measures an event without what is stripped from it", () => {
    const sent = join(encodeEvent({ name: "click" }), field(99, new Uint8Array(900_000)));

    expect(accept(prepare(sent)).bytes).toHaveLength(7);
  });

  it("rejects what validateEvent refuses and nothing else; what it takes decodes to what was sent, and prints", () => {
    fc.assert(
      fc.property(arbitraryEvent, (init) => {
        const sent = create(EventSchema, init);
        const bytes = toBinary(EventSchema, sent);
        const prepared = prepare(bytes);
        const violation = validateEvent(sent, nowMs);
        if (violation !== undefined) {
          expect(prepared).toMatchObject({ reason: "EVENT_INVALID", violation });
          return;
        }
        const event = accept(prepared);
        expect(event.bytes).toBe(bytes);
        expect(equals(EventSchema, decode(event.bytes), sent)).toBe(true);
        expect(print(event)).toMatchObject({ name: sent.name });
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ["none for a key that is bound to none", [], "", ""],
    ["that of a key that is bound to one", ["staging"], "", "staging"],
    ["its own", ["production", "staging"], "staging", "staging"],
  ])("gives an event an environment: %s", (_, environments, own, expected) => {
    const sent = encodeEvent({ ...full, environment: own });
    for (const offered of [sent, decode(sent)]) {
      const { bytes } = accept(prepare(offered, { environments }));
      expect(decode(bytes)).toEqual(decode(encodeEvent({ ...full, environment: expected })));
    }
  });

  it("only adds the environment to the bytes that were sent", () => {
    fc.assert(
      fc.property(arbitraryEvent, (init) => {
        const sent = encodeEvent({ ...init, environment: "" });
        const prepared = prepare(sent, { environments: ["production"] });
        if (!("bytes" in prepared)) return;
        const named = encodeEvent({ ...init, environment: "production" });

        expect(Buffer.compare(prepared.bytes.subarray(0, sent.length), sent)).toBe(0);
        expect(isSameEvent(prepared.bytes, named)).toBe(true);
        expect(isSameEvent(prepared.bytes, accept(prepare(named)).bytes)).toBe(true);
      }),
    );
  });

  it("measures an event with the environment that it gets", () => {
    const sender = { environments: ["production"] };
    const added = encodeEvent({ environment: "production" }).length;

    expect(accept(prepare(encodeEvent(eventOfBytes(799_999 - added)), sender)).bytes).toHaveLength(799_999);
    expect(prepare(encodeEvent(eventOfBytes(800_000 - added)), sender)).toMatchObject({
      reason: "EVENT_INVALID",
      violation: { field: "" },
    });
  });

  it.each<[string, Partial<Sender>, { name?: string }, Partial<RejectedEvent>]>([
    [
      "a key's environments",
      { environments: ["staging"] },
      {},
      { reason: "ENVIRONMENT_FORBIDDEN", violation: { field: "environment", message: expect.any(String) } },
    ],
    [
      "the project's kinds of identities",
      { project: newProject({ identityKinds: ["user"] }) },
      {},
      { reason: "EVENT_INVALID", violation: { field: 'identities["__proto__"]', message: expect.any(String) } },
    ],
    [
      "what is invalid for everyone, first",
      { environments: ["staging"] },
      { name: "" },
      { reason: "EVENT_INVALID", violation: { field: "name", message: "is required" } },
    ],
  ])("rejects by %s", (_, sender, init, expected) => {
    expect(prepare(encodeEvent({ ...full, ...init }), sender)).toMatchObject({ id: "order-1", ...expected });
  });

  it("never throws, whatever the bytes, and takes nothing that does not print or holds strange fields", () => {
    fc.assert(
      fc.property(mutatedEvent, (bytes) => {
        const prepared = prepare(bytes);
        if (!("bytes" in prepared)) return;
        print(prepared);
        expect(strangeFieldsOf(prepared.bytes)).toEqual([]);
        expect(accept(prepare(prepared.bytes)).bytes).toBe(prepared.bytes);
      }),
      { numRuns: 5000 },
    );
  });
});

function inStructs(depth: number): Uint8Array {
  let struct: Uint8Array = new Uint8Array();
  for (let i = 0; i < depth; i++) struct = field(1, field(1, "p"), field(2, field(5, struct)));
  return field(6, struct);
}

/** An event's bytes after a few accidents: changed, inserted, cut out, repeated; or no event at all. */
const mutatedEvent = fc.oneof(
  { arbitrary: fc.uint8Array({ maxLength: 40 }), weight: 1 },
  {
    arbitrary: fc
      .tuple(
        fc.oneof(fc.constant({ ...full, ...outputOnly }), arbitraryEvent),
        fc.array(
          fc.record({
            kind: fc.constantFrom("change", "insert", "remove", "repeat", "none"),
            at: fc.nat(),
            byte: fc.integer({ min: 0, max: 255 }),
          }),
          { minLength: 1, maxLength: 3 },
        ),
      )
      .map(([init, accidents]) => {
        const bytes = [...encodeEvent(init)];
        for (const { kind, at, byte } of accidents) {
          const place = at % (bytes.length + 1);
          if (kind === "change") bytes.splice(place, 1, byte);
          else if (kind === "insert") bytes.splice(place, 0, byte);
          else if (kind === "remove") bytes.splice(place, 1 + (byte % 3));
          else if (kind === "repeat") bytes.push(...bytes.slice(place));
        }
        return Uint8Array.from(bytes);
      }),
    weight: 9,
  },
);
