import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { inspectEventBytes } from "../../src/domain/inspect-event-bytes.ts";
import { encodeEvent } from "../support/events.ts";
import { field, join, varint } from "../support/wire-fields.ts";

const unknown = varint(99, 1);
const unknownGroup = Uint8Array.of(0x9b, 0x06, 0x08, 0x01, 0x9c, 0x06);
const name = field(2, "click");
const double = (number: number) => Uint8Array.of((number << 3) | 1, 0, 0, 0, 0, 0, 0, 0, 0);

// The parts of a Struct in their encoding.
const nullKind = varint(1, 0);
const textKind = field(3, "text");
const entry = (key: string, ...value: Uint8Array[]) => field(1, field(1, key), field(2, ...value));
const structKind = (...entries: Uint8Array[]) => field(5, ...entries);
const listKind = (...values: Uint8Array[]) => field(6, ...values.map((value) => field(1, value)));
const properties = (...entries: Uint8Array[]) => field(6, ...entries);
const property = (...value: Uint8Array[]) => properties(entry("p", ...value));

function inLists(depth: number, value: Uint8Array): Uint8Array {
  return depth === 0 ? value : listKind(inLists(depth - 1, value));
}

describe("inspectEventBytes", () => {
  it.each([
    ["nothing", new Uint8Array()],
    [
      "an event with everything",
      encodeEvent({
        id: "a",
        name: "click",
        identities: { user: "u", account: "" },
        time: timestampFromMs(1),
        value: 0,
        properties: { a: null, b: [1, "x", true, { c: {} }], "": [] },
        environment: "production",
        test: true,
      }),
    ],
    ["fields in another order", join(property(textKind), name, field(1, "a"))],
    ["empty messages", join(field(3), field(4), field(6))],
    ["a map entry whose value comes first", properties(field(1, field(2, nullKind), field(1, "p")))],
    ["a map entry without a key", properties(field(1, field(2, nullKind)))],
    ["empty text and zeros, which need not be sent", join(field(1, ""), double(5), varint(8, 0))],
    ["a value nested 16 deep", property(inLists(15, nullKind))],
  ])("finds clean: %s", (_, bytes) => {
    expect(inspectEventBytes(bytes)).toBe("clean");
  });

  it.each([
    ["an unknown field", join(name, unknown)],
    ["an unknown group", join(unknownGroup, name)],
    ["an unknown field in an identity", field(3, field(1, "user"), unknown, field(2, "u"))],
    ["an unknown field in a time", field(4, varint(1, 1), unknown)],
    ["an unknown field in properties", properties(entry("p", nullKind), unknown)],
    ["an unknown field in a property's entry", properties(field(1, field(1, "p"), field(2, nullKind), unknown))],
    ["an unknown field in a Value, before its kind", property(unknown, nullKind)],
    ["an unknown field in a Value, after its kind", property(nullKind, unknown)],
    ["an unknown field in a nested Struct", property(structKind(entry("q", nullKind), unknown))],
    ["an unknown field in a list", property(field(6, field(1, nullKind), unknown))],
    ["an unknown group in a list", property(field(6, unknownGroup))],
    ["a cursor", join(name, field(13, "c"))],
    ["a receive time", join(name, field(14, varint(1, 1)))],
    ["an entrance", join(name, field(15, "grpc"))],
    ["a name twice", join(name, name)],
    ["an id twice", join(field(1, "a"), field(1, "b"))],
    ["a time twice", join(field(4), field(4))],
    ["a value twice", join(double(5), double(5))],
    ["properties twice", join(property(nullKind), property(nullKind))],
    ["an environment twice", join(field(7, "a"), field(7, "a"))],
    ["test twice", join(varint(8, 1), varint(8, 0))],
    ["a kind of identity twice in its entry", field(3, field(1, "user"), field(1, "account"))],
    ["seconds twice", field(4, varint(1, 1), varint(1, 2))],
    ["a key twice in its entry", properties(field(1, field(1, "p"), field(1, "q"), field(2, nullKind)))],
    ["a value twice in its entry", properties(field(1, field(1, "p"), field(2, nullKind), field(2, textKind)))],
    ["two kinds in a Value", property(textKind, nullKind)],
    ["one kind twice in a Value", property(textKind, textKind)],
    ["two kinds in a list's Value", property(listKind(join(nullKind, textKind)))],
    ["a null that is not 0", property(varint(1, 7))],
    [
      "a value nested 17 deep that another replaces",
      properties(entry("p", inLists(16, nullKind)), entry("p", nullKind)),
    ],
  ])("finds to be stripped: %s", (_, bytes) => {
    expect(inspectEventBytes(bytes)).toBe("stripping");
  });

  it.each([
    ["in a property", property(), "properties.p"],
    ["missing in a map entry", properties(field(1, field(1, "p"))), "properties.p"],
    ["in an entry whose value comes first", properties(field(1, field(2), field(1, "p"))), "properties.p"],
    ["in an entry without a key", properties(field(1)), "properties."],
    ["hidden behind an unknown field", property(unknown), "properties.p"],
    ["in a list", property(listKind(nullKind, new Uint8Array())), "properties.p[1]"],
    ["in a nested Struct", property(structKind(entry("q", nullKind), entry("r"))), "properties.p.r"],
    ["missing in a nested entry", property(structKind(field(1, field(1, "q")))), "properties.p.q"],
    [
      "deep inside",
      property(listKind(nullKind, structKind(entry("q", listKind(new Uint8Array()))))),
      "properties.p[1].q[0]",
    ],
    ["after one that has a kind", properties(entry("a", nullKind), entry("b")), "properties.b"],
    ["in an event to be stripped", join(unknown, property(), field(13, "c")), "properties.p"],
  ])("refuses a Value without kind %s", (_, bytes, path) => {
    expect(inspectEventBytes(bytes)).toEqual({ field: path, message: "has no kind" });
  });

  it("cuts the path of a Value without kind to 256 characters", () => {
    const inspection = inspectEventBytes(properties(entry("n".repeat(300))));

    expect(inspection).toMatchObject({ field: expect.stringMatching(/^properties\.n{244}…$/) });
  });

  it.each([
    ["a name that is a varint", varint(2, 1)],
    ["a name that ends a group", Uint8Array.of(0x14, 1, 0x61)],
    ["a cursor that ends a group", Uint8Array.of(0x6c, 1, 0x61)],
    ["an identity that is a varint", varint(3, 1)],
    ["a value that is text", field(5, "1234567")],
    ["a time with text for seconds", field(4, field(1, ""))],
    ["a receive time with text for seconds", field(14, field(1, ""))],
    ["a Struct with a varint for an entry", properties(varint(1, 0))],
    ["an entry with a varint for a key", properties(field(1, varint(1, 0)))],
    ["a Value whose text is a varint", property(varint(3, 0))],
    ["a list with a varint for a value", property(field(6, varint(1, 0)))],
  ])("throws at %s", (_, bytes) => {
    expect(() => inspectEventBytes(bytes)).toThrow("has a wire type that is not its own");
  });

  it.each([
    ["an identity", Uint8Array.of(0x1a, 2, 0x0a, 1, 0x61)],
    ["a time", Uint8Array.of(0x22, 1, 0x08, 5)],
    ["a receive time", Uint8Array.of(0x72, 1, 0x08, 5)],
    ["a Struct", Uint8Array.of(0x32, 1, 0x0a, 4, 0x12, 2, 0x08, 0)],
    ["an entry", field(6, Uint8Array.of(0x0a, 2, 0x0a, 1, 0x61))],
    ["a Value", field(6, field(1, Uint8Array.of(0x12, 1, 0x08, 0)))],
    ["a list", property(Uint8Array.of(0x32, 1, 0x0a, 2, 0x08, 0))],
  ])("throws at %s that is longer than it says", (_, bytes) => {
    expect(() => inspectEventBytes(bytes)).toThrow("longer than it says");
  });
});
