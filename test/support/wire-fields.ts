import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** A field whose content is these parts, one after the other: a message, or text. */
export function field(number: number, ...parts: (Uint8Array | string)[]): Uint8Array {
  return new BinaryWriter()
    .tag(number, WireType.LengthDelimited)
    .bytes(join(...parts))
    .finish();
}

/** A field that is a varint. */
export function varint(number: number, value: number): Uint8Array {
  return new BinaryWriter().tag(number, WireType.Varint).uint32(value).finish();
}

/** Bytes and texts, one after the other. */
export function join(...parts: (Uint8Array | string)[]): Uint8Array {
  return Buffer.concat(parts.map((part) => Buffer.from(part)));
}

/** The fields that a message may hold, each with what is in it. */
interface Shape {
  readonly [number: number]: Shape | "leaf";
}

const timestamp: Shape = { 1: "leaf", 2: "leaf" };
const value: Record<number, Shape | "leaf"> = { 1: "leaf", 2: "leaf", 3: "leaf", 4: "leaf" };
const struct: Shape = { 1: { 1: "leaf", 2: value } };
value[5] = struct;
value[6] = { 1: value };
const event: Shape = {
  1: "leaf",
  2: "leaf",
  3: { 1: "leaf", 2: "leaf" },
  4: timestamp,
  5: "leaf",
  6: struct,
  7: "leaf",
  8: "leaf",
};

/** Paths of the fields in an event's encoding that a sender has no business with, by number. */
export function strangeFieldsOf(bytes: Uint8Array): string[] {
  return findStrange(bytes, event, "");
}

function findStrange(bytes: Uint8Array, shape: Shape, path: string): string[] {
  const reader = new BinaryReader(bytes);
  const found: string[] = [];
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    const place = `${path}/${number}`;
    const inner = shape[number];
    if (inner === undefined || inner === "leaf") {
      if (inner === undefined) found.push(place);
      reader.skip(wireType, number);
    } else found.push(...findStrange(reader.bytes(), inner, place));
  }
  return found;
}
