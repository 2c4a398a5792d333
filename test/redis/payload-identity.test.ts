import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import type { EventToAppend } from "../../src/domain/ports.ts";
import { validateEvent } from "../../src/domain/validate-event.ts";
import { arbitraryEvent, arbitraryNowMs } from "../support/arbitrary-events.ts";
import { eventWithoutId } from "../support/chunk-appender.ts";
import type { EventInit } from "../support/events.ts";
import { encodeEvent, newProject } from "../support/events.ts";
import { endsOf, openEventLog } from "../support/open-event-log.ts";
import { useRedis } from "../support/use-redis.ts";

const redis = useRedis();

const validEvent = arbitraryEvent.filter((init) => {
  return validateEvent(create(EventSchema, init), arbitraryNowMs) === undefined;
});

/** Gives numbers from 0 up to 1. */
type Fraction = () => number;

/** Random numbers that fast-check can repeat. */
const anyFraction: fc.Arbitrary<Fraction> = fc
  .gen()
  .map((gen) => () => gen(fc.double, { min: 0, max: 1, maxExcluded: true, noNaN: true }));

interface WireField {
  readonly field: DescField | undefined;
  readonly tag: number;
  readonly wireType: WireType;
  readonly bytes: Uint8Array;
}

/** Writes a message's fields and the entries of its maps in another order; lists keep theirs. */
function shuffleEncoding(schema: DescMessage, bytes: Uint8Array, fraction: Fraction): Uint8Array {
  const fields = readFields(bytes, (tag) => schema.fields.find(({ number }) => number === tag)).map((one) => {
    if (one.field?.message === undefined || one.field.fieldKind === "map") return one;
    return { ...one, bytes: shuffleEncoding(one.field.message, one.bytes, fraction) };
  });
  const inMaps = fields.map((one) => (one.field?.fieldKind === "map" ? shuffleEntry(one, fraction) : one));
  const lists = inMaps.filter(({ field }) => field?.fieldKind === "list");
  const shuffled = shuffle(inMaps, fraction).map(
    (one) => (one.field?.fieldKind === "list" ? lists.shift() : one) ?? one,
  );
  return writeFields(shuffled);
}

function shuffleEntry(entry: WireField, fraction: Fraction): WireField {
  const value = entry.field?.fieldKind === "map" ? entry.field.message : undefined;
  const parts = readFields(entry.bytes, () => undefined).map((part) =>
    value !== undefined && part.tag === 2 ? { ...part, bytes: shuffleEncoding(value, part.bytes, fraction) } : part,
  );
  return { ...entry, bytes: writeFields(shuffle(parts, fraction)) };
}

function readFields(bytes: Uint8Array, find: (tag: number) => DescField | undefined): WireField[] {
  const reader = new BinaryReader(bytes);
  const fields: WireField[] = [];
  while (reader.pos < reader.len) {
    const [tag, wireType] = reader.tag();
    const start = reader.pos;
    const value = wireType === WireType.LengthDelimited ? reader.bytes() : reader.skip(wireType, tag);
    fields.push({ field: find(tag), tag, wireType, bytes: value ?? bytes.subarray(start, reader.pos) });
  }
  return fields;
}

function writeFields(fields: readonly WireField[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const { tag, wireType, bytes } of fields) {
    writer.tag(tag, wireType);
    if (wireType === WireType.LengthDelimited) writer.bytes(bytes);
    else writer.raw(bytes);
  }
  return writer.finish();
}

function shuffle<T>(all: readonly T[], fraction: Fraction): T[] {
  return all
    .map((one) => ({ one, place: fraction() }))
    .sort((a, b) => a.place - b.place)
    .map(({ one }) => one);
}

/** The event with one of its leaves changed, wherever that is, but for its id. */
function changeLeaf(init: EventInit, fraction: Fraction): EventInit {
  const changed = structuredClone(init);
  const leaves = findLeaves(changed).filter(({ parent, key }) => parent !== changed || key !== "id");
  const { parent, key } = leaves[Math.floor(fraction() * leaves.length)] ?? { parent: changed, key: "name" };
  const value = changeValue(Reflect.get(parent, key));
  // Assigning to `__proto__` would do something else.
  Object.defineProperty(parent, key, { value, enumerable: true, writable: true, configurable: true });
  return changed;
}

function findLeaves(parent: object): { parent: object; key: string }[] {
  return Object.keys(parent).flatMap((key) => {
    const value: unknown = Reflect.get(parent, key);
    const isParent = typeof value === "object" && value !== null && Object.keys(value).length > 0;
    return isParent ? findLeaves(value) : [{ parent, key }];
  });
}

function changeValue(value: unknown): unknown {
  switch (typeof value) {
    case "string":
      return `${value}x`;
    case "number":
      return value === 0 ? 1 : -value;
    case "bigint":
      return value + 1n;
    case "boolean":
      return !value;
    default:
      // Null, or an empty list or object.
      return value === null ? false : Array.isArray(value) ? [null] : { x: "x" };
  }
}

describe("the identity of a payload", () => {
  it("is that of the decoded event: neither fields nor maps have an order, and every leaf counts", async () => {
    await using opened = await openEventLog(redis.socketPath);
    const project = newProject();
    let runs = 0;
    let reordered = 0;
    await fc.assert(
      fc.asyncProperty(validEvent, anyFraction, async (valid, fraction) => {
        const init = { ...valid, id: `${++runs}` };
        const encoded = encodeEvent(init);
        const shuffled = shuffleEncoding(EventSchema, encoded, fraction);
        const changed = encodeEvent(changeLeaf(init, fraction));
        if (Buffer.compare(encoded, shuffled) !== 0) reordered++;
        const event = (bytes: Uint8Array): EventToAppend => {
          return { id: init.id, isIdAssigned: false, bytes, isTimeAbsent: false, isTest: false };
        };

        const appended = await opened.append(project, [encoded, shuffled, encoded, changed].map(event));

        expect(endsOf(appended)).toEqual(["accepted", "duplicate", "duplicate", "conflict"]);
        const again = await opened.append(project, [changed, shuffled].map(event));
        expect(endsOf(again)).toEqual(["conflict", "duplicate"]);
      }),
      { numRuns: 300 },
    );
    expect(reordered).toBeGreaterThan(runs / 2);
  });

  it("does not depend on who named the event: sent again by the id that was assigned, it is the same", async () => {
    await using opened = await openEventLog(redis.socketPath);
    const project = newProject();
    const original = eventWithoutId();
    await opened.append(project, [original]);
    const { id } = original;
    const byId = (init: EventInit) => ({ ...original, isIdAssigned: false, bytes: encodeEvent({ ...init, id }) });

    const appended = await opened.append(project, [byId({ name: "click" }), byId({ name: "other" })]);

    expect(endsOf(appended)).toEqual(["duplicate", "conflict"]);
  });
});
