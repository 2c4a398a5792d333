import { WireType } from "@bufbuild/protobuf/wire";
import type { WireReader } from "./wire-reader.ts";

/*
 * What filters look at in an event, read from its encoding: decoding tens of thousands of events a second takes too long.
 * Each function expects a reader at the event's first field. As for every decoder, the last of several counts. Texts are
 * compared in UTF-8.
 */

/** A value that a property is compared with, in each form in which it may be there. */
export interface WantedScalar {
  readonly text?: Uint8Array | undefined;
  readonly number?: number | undefined;
  readonly boolean?: boolean | undefined;
  readonly isNull?: boolean;
}

const tag = (field: number, wireType: WireType): number => (field << 3) | wireType;

// The fields of sluice.v1.Event, of an entry of a map, and of google.protobuf's Struct, ListValue and Value.
const textTags = { name: tag(2, WireType.LengthDelimited), environment: tag(7, WireType.LengthDelimited) } as const;
const identityTag = tag(3, WireType.LengthDelimited);
const valueTag = tag(5, WireType.Bit64);
const propertiesTag = tag(6, WireType.LengthDelimited);
const keyTag = tag(1, WireType.LengthDelimited);
const entryValueTag = tag(2, WireType.LengthDelimited);
const elementTag = tag(1, WireType.LengthDelimited);
const nullTag = tag(1, WireType.Varint);
const numberTag = tag(2, WireType.Bit64);
const textTag = tag(3, WireType.LengthDelimited);
const booleanTag = tag(4, WireType.Varint);
const listTag = tag(6, WireType.LengthDelimited);

/** Whether a text of the event is one of these; one that it does not have is empty. */
export function isTextAmong(reader: WireReader, field: keyof typeof textTags, texts: readonly Uint8Array[]): boolean {
  const end = reader.enterLast(textTags[field], reader.bytes.length);
  for (const text of texts) if (reader.isText(end, text)) return true;
  return false;
}

/** The event's value, if it has one. */
export function readValue(reader: WireReader): number | undefined {
  let value: number | undefined;
  while (reader.pos < reader.bytes.length) {
    const next = reader.varint();
    if (next === valueTag) value = reader.double();
    else reader.skip(next);
  }
  return value;
}

/** Whether the event's identity of this kind is this one. */
export function hasIdentity(reader: WireReader, kind: Uint8Array, id: Uint8Array): boolean {
  let isMatch = false;
  const eventEnd = reader.bytes.length;
  for (let end = reader.enterNext(identityTag, eventEnd); end !== undefined; ) {
    const start = reader.pos;
    if (reader.isText(reader.enterLast(keyTag, end), kind)) {
      reader.pos = start;
      isMatch = reader.isText(reader.enterLast(entryValueTag, end), id);
    }
    reader.pos = end;
    end = reader.enterNext(identityTag, eventEnd);
  }
  return isMatch;
}

/** Whether the event's property of this name is this value, or a list that contains it. */
export function hasProperty(reader: WireReader, name: Uint8Array, wanted: WantedScalar): boolean {
  let isMatch = false;
  const eventEnd = reader.bytes.length;
  let structEnd = reader.enterNext(propertiesTag, eventEnd);
  while (structEnd !== undefined) {
    for (let end = reader.enterNext(elementTag, structEnd); end !== undefined; ) {
      const start = reader.pos;
      if (reader.isText(reader.enterLast(keyTag, end), name)) {
        reader.pos = start;
        isMatch = isEntryWanted(reader, end, wanted);
      }
      reader.pos = end;
      end = reader.enterNext(elementTag, structEnd);
    }
    structEnd = reader.enterNext(propertiesTag, eventEnd);
  }
  return isMatch;
}

/** Of a value that is there twice, the second is added to the first: that matters for lists only. */
function isEntryWanted(reader: WireReader, entryEnd: number, wanted: WantedScalar): boolean {
  let isMatch = false;
  let isList = false;
  for (let end = reader.enterNext(entryValueTag, entryEnd); end !== undefined; ) {
    while (reader.pos < end) {
      const next = reader.varint();
      if (next === listTag) {
        isMatch = isInList(reader, reader.enter(), wanted) || (isList && isMatch);
        isList = true;
      } else {
        isMatch = isScalarWanted(reader, next, wanted);
        isList = false;
      }
    }
    end = reader.enterNext(entryValueTag, entryEnd);
  }
  return isMatch;
}

function isInList(reader: WireReader, listEnd: number, wanted: WantedScalar): boolean {
  let isMatch = false;
  for (let end = reader.enterNext(elementTag, listEnd); end !== undefined && !isMatch; ) {
    while (reader.pos < end) isMatch = isScalarWanted(reader, reader.varint(), wanted);
    if (!isMatch) end = reader.enterNext(elementTag, listEnd);
  }
  reader.pos = listEnd;
  return isMatch;
}

/** Reads one kind of a google.protobuf.Value, whose tag has been read. */
function isScalarWanted(reader: WireReader, next: number, wanted: WantedScalar): boolean {
  switch (next) {
    case nullTag:
      reader.varint();
      return wanted.isNull === true;
    case numberTag:
      return reader.double() === wanted.number;
    case booleanTag:
      return (reader.varint() !== 0) === wanted.boolean;
    case textTag: {
      const end = reader.enter();
      const isMatch = wanted.text !== undefined && reader.isText(end, wanted.text);
      reader.pos = end;
      return isMatch;
    }
    default:
      reader.skip(next);
      return false;
  }
}
