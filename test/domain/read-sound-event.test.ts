import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { create, fromBinary, fromJsonString, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import { countTerms } from "../../src/domain/count-terms.ts";
import { inspectEventBytes } from "../../src/domain/inspect-event-bytes.ts";
import type { SoundEventRules } from "../../src/domain/read-sound-event.ts";
import { readSoundEvent } from "../../src/domain/read-sound-event.ts";
import { validateEvent } from "../../src/domain/validate-event.ts";
import { arbitraryEvent, arbitraryNowMs as nowMs } from "../support/arbitrary-events.ts";
import { encodeEvent } from "../support/events.ts";
import { field, join, varint } from "../support/wire-fields.ts";

const anyRules: SoundEventRules = { identityKinds: [], indexedProperties: [] };
const rules: SoundEventRules = { identityKinds: ["user", "é"], indexedProperties: ["p", "é", "q"] };
const read = (bytes: Uint8Array, by = anyRules) => readSoundEvent(bytes, nowMs, by);

/** What decoding finds: the same, or undefined when the event may not be stored as it was sent. */
function judge(bytes: Uint8Array, { identityKinds, indexedProperties }: SoundEventRules) {
  try {
    const event = fromBinary(EventSchema, bytes, { readUnknownFields: false });
    if (validateEvent(event, nowMs) !== undefined || inspectEventBytes(bytes) !== "clean") return undefined;
    const kinds = Object.keys(event.identities);
    if (identityKinds.length > 0 && kinds.some((kind) => !identityKinds.includes(kind))) return undefined;
    const { id, environment, test } = event;
    const termCount = countTerms(event, indexedProperties);
    return { id, environment, isTimeAbsent: event.time === undefined, isTest: test, termCount };
  } catch {
    return undefined;
  }
}

describe("readSoundEvent", () => {
  it.each([anyRules, rules])("never says more than decoding finds, of any event", (by) => {
    fc.assert(
      fc.property(arbitraryEvent, (init) => {
        const bytes = encodeEvent(init);
        const sound = read(bytes, by);
        if (sound !== undefined) expect(sound).toEqual(judge(bytes, by));
      }),
      { numRuns: 1000 },
    );
  });

  it("never says more than decoding finds, of an event of which a byte is another, or missing, or one too many", () => {
    const change = fc.record({ at: fc.nat(), byte: fc.nat(255), how: fc.constantFrom("set", "cut", "add", "end") });
    fc.assert(
      fc.property(arbitraryEvent, fc.array(change, { minLength: 1, maxLength: 3 }), (init, changes) => {
        let bytes = [...encodeEvent({ id: "a", ...init })];
        for (const { at, byte, how } of changes) {
          const index = at % (bytes.length + 1);
          if (how === "set") bytes[index] = byte;
          else if (how === "end") bytes = bytes.slice(0, index);
          else bytes.splice(index, how === "cut" ? 1 : 0, ...(how === "add" ? [byte] : []));
        }
        const changed = Uint8Array.from(bytes);
        const sound = read(changed, rules);
        if (sound !== undefined) expect(sound).toEqual(judge(changed, rules));
      }),
      { numRuns: 3000 },
    );
  });

  it("knows all real events", () => {
    const file = new URL("../fixtures/web-requests.ndjson.gz", import.meta.url);
    const lines = gunzipSync(readFileSync(file)).toString().trim().split("\n");
    const events = lines.map((line) => toBinary(EventSchema, fromJsonString(EventSchema, line)));
    const now = Date.UTC(2030, 0, 1);

    expect(events.filter((bytes) => readSoundEvent(bytes, now, anyRules) === undefined)).toEqual([]);
  });

  it("reads an event with everything", () => {
    const bytes = encodeEvent({
      id: "a",
      name: "ページ",
      identities: { user: "ü", account: "a" },
      time: timestampFromMs(nowMs),
      value: -1.5,
      properties: { a: null, p: [1, "😀", true, { c: {} }], q: "\u0000" },
      environment: "production",
      test: true,
    });

    expect(read(bytes, { identityKinds: [], indexedProperties: ["p", "q"] })).toEqual({
      id: "a",
      environment: "production",
      isTimeAbsent: false,
      isTest: true,
      termCount: 8,
    });
  });

  const name = field(2, "click");
  const identity = field(3, field(1, "user"), field(2, "u"));
  const property = (...value: Uint8Array[]) => field(6, field(1, field(1, "p"), field(2, ...value)));

  it.each<[what: string, bytes: Uint8Array]>([
    ["nothing", new Uint8Array()],
    ["a property without a name", encodeEvent({ name: "click", properties: { "": 1 } })],
    ["a kind that objects treat in their own way", encodeEvent({ name: "click", identities: { ["__proto__"]: "u" } })],
    ["no name", field(1, "a")],
    ["a name twice", join(name, name)],
    ["an unknown field", join(name, varint(99, 1))],
    ["an output-only field", join(name, field(13, "c"))],
    ["an identity twice", join(name, identity, identity)],
    ["an identity without an id", join(name, field(3, field(1, "user")))],
    ["the id of an identity before its kind", join(name, field(3, field(2, "u"), field(1, "user")))],
    ["a time before 1970", join(name, field(4, Uint8Array.of(8, ...Array.from({ length: 9 }, () => 255), 1)))],
    ["a value without a kind", join(name, property())],
    ["a value of two kinds", join(name, property(varint(1, 0), field(3, "text")))],
    ["a null that is not 0", join(name, property(varint(1, 1)))],
    ["an id with a control character", join(field(1, "a\n"), name)],
    ["a name with a control character of two bytes", field(2, "a\u0085")],
    ["a name that begins with a byte order mark", field(2, "\ufeffa")],
    ["a name of half a surrogate pair", field(2, Uint8Array.of(0xed, 0xa0, 0x80))],
    ["a name with an overlong slash", field(2, Uint8Array.of(0xc0, 0xaf))],
    ["a name that is cut within a character", field(2, Uint8Array.of(0x61, 0xe3, 0x83))],
    ["a text that is longer than its event", join(name, Uint8Array.of(0x3a, 5, 0x61))],
  ])("leaves to the decoder: %s", (_, bytes) => {
    expect(read(bytes)).toBeUndefined();
  });

  it("leaves to the decoder an identity of a kind that the project does not have", () => {
    expect(read(encodeEvent({ name: "click", identities: { user: "u" } }), rules)).toBeDefined();
    expect(read(encodeEvent({ name: "click", identities: { device: "d" } }), rules)).toBeUndefined();
  });

  it("reads what the encoder makes of an event without anything else", () => {
    expect(read(toBinary(EventSchema, create(EventSchema, { name: "click" })))).toMatchObject({ id: "", termCount: 1 });
  });
});
