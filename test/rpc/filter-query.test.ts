import type { MessageInitShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import type { ValueSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EventFilterSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import { SluiceError } from "../../src/domain/errors.ts";
import { toFilterQuery } from "../../src/rpc/filter-query.ts";

const queryOf = (init: MessageInitShape<typeof EventFilterSchema>) => toFilterQuery(create(EventFilterSchema, init));

/** The field for which a filter is refused. */
function faultOf(init: MessageInitShape<typeof EventFilterSchema>): string | undefined {
  try {
    queryOf(init);
  } catch (thrown) {
    if (thrown instanceof SluiceError && thrown.reason === "FILTER_INVALID") return thrown.violations[0]?.field;
    throw thrown;
  }
  return undefined;
}

describe("toFilterQuery", () => {
  const everything = { names: [], environment: "", values: [], properties: new Map(), includeTest: false };

  it("asks for nothing where nothing is asked for", () => {
    expect(toFilterQuery(undefined)).toEqual(everything);
    expect(queryOf({})).toEqual(everything);
  });

  it("has every field of the filter", () => {
    const query = queryOf({
      names: ["click", "view"],
      identity: { kind: "user", id: "u1" },
      environment: "production",
      values: [1, -0.5],
      valueMin: 0,
      valueMax: 0,
      properties: {
        text: { kind: { case: "stringValue", value: "" } },
        number: { kind: { case: "numberValue", value: 0 } },
        boolean: { kind: { case: "boolValue", value: false } },
        nothing: { kind: { case: "nullValue", value: 0 } },
      },
      receiveTimeFrom: { seconds: 1n, nanos: 0 },
      receiveTimeUntil: { seconds: 2n, nanos: 0 },
      includeTest: true,
    });

    expect(query).toMatchObject({
      names: ["click", "view"],
      identity: { kind: "user", id: "u1" },
      environment: "production",
      values: [1, -0.5],
      valueMin: 0,
      valueMax: 0,
      receivedFromMs: 1000,
      receivedUntilMs: 2000,
      includeTest: true,
    });
    expect([...query.properties]).toEqual([
      ["text", [""]],
      ["number", [0]],
      ["boolean", [false]],
      ["nothing", [null]],
    ]);
  });

  it("bounds times so that just the whole milliseconds pass that the exact bounds let pass", () => {
    const nanos = fc.oneof(fc.constantFrom(0, 1, 999_999, 1_000_000, 999_000_001, 999_999_999), fc.nat(999_999_999));
    fc.assert(
      fc.property(fc.nat(4_000_000_000), nanos, fc.integer({ min: -2, max: 2 }), (seconds, nanos, offset) => {
        const time = { seconds: BigInt(seconds), nanos };
        const { receivedFromMs, receivedUntilMs } = queryOf({ receiveTimeFrom: time, receiveTimeUntil: time });
        const eventMs = seconds * 1000 + Math.trunc(nanos / 1e6) + offset;
        const isAtOrAfter = BigInt(eventMs) * 1_000_000n >= BigInt(seconds) * 1_000_000_000n + BigInt(nanos);

        expect(eventMs >= (receivedFromMs ?? Number.NaN)).toBe(isAtOrAfter);
        expect(eventMs < (receivedUntilMs ?? Number.NaN)).toBe(!isAtOrAfter);
      }),
    );
  });

  it.each([
    [{ seconds: 0n, nanos: 0 }, 0],
    [{ seconds: 253_402_300_799n, nanos: 999_999_999 }, 253_402_300_800_000],
  ])("takes the time %o", (time, ms) => {
    expect(queryOf({ receiveTimeFrom: time }).receivedFromMs).toBe(ms);
  });

  it.each([
    { seconds: -1n, nanos: 0 },
    { seconds: 253_402_300_800n, nanos: 0 },
    { seconds: 0n, nanos: -1 },
    { seconds: 0n, nanos: 1_000_000_000 },
  ])("refuses the time %o", (time) => {
    expect(faultOf({ receiveTimeFrom: time })).toBe("filter.receive_time_from");
    expect(faultOf({ receiveTimeUntil: time })).toBe("filter.receive_time_until");
  });

  it.each<[string, MessageInitShape<typeof ValueSchema>]>([
    ["a struct", { kind: { case: "structValue", value: {} } }],
    ["a list", { kind: { case: "listValue", value: {} } }],
    ["nothing", {}],
  ])("refuses a property that is to equal %s", (_, value) => {
    expect(faultOf({ properties: { 'a "b"': value } })).toBe('filter.properties["a \\"b\\""]');
    expect(faultOf({ properties: { ["p".repeat(300)]: value } })).toMatch(/^filter\.properties\["p{235,}…$/);
  });
});
