import { WireType } from "@bufbuild/protobuf/wire";
import type { TextSet } from "./text-set.ts";
import { isTextIn } from "./text-set.ts";
import type { WireReader } from "./wire-reader.ts";

/*
 * What filters look at in an event, read from its encoding: decoding tens of thousands of events a second takes too long.
 * Each function expects a reader at the event's first field. As for every decoder, the last of several counts. Texts are
 * compared in UTF-8.
 */

/** The values of which a property has to be one, by the form in which they may be there. */
export interface WantedScalars {
  readonly texts: TextSet;
  readonly numbers: readonly number[];
  readonly booleans: readonly boolean[];
  readonly hasNull: boolean;
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
export function isTextAmong(reader: WireReader, field: keyof typeof textTags, texts: TextSet): boolean {
  return isTextIn(reader, reader.enterLast(textTags[field], reader.bytes.length), texts);
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

/** Whether the event's property of this name is one of these values, or a list that contains one. */
export function hasProperty(reader: WireReader, name: Uint8Array, wanted: WantedScalars): boolean {
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
function isEntryWanted(reader: WireReader, entryEnd: number, wanted: WantedScalars): boolean {
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

function isInList(reader: WireReader, listEnd: number, wanted: WantedScalars): boolean {
  let isMatch = false;
  for (let end = reader.enterNext(elementTag, listEnd); end !== undefined && !isMatch; ) {
    while (reader.pos < end) isMatch = isScalarWanted(reader, reader.varint(), wanted);
    if (!isMatch) end = reader.enterNext(elementTag, listEnd);
  }
  reader.pos = listEnd;
  return isMatch;
}

/** Reads one kind of a google.protobuf.Value, whose tag has been read. */
function isScalarWanted(reader: WireReader, next: number, wanted: WantedScalars): boolean {
  switch (next) {
    case nullTag:
      reader.varint();
      return wanted.hasNull;
    case numberTag:
      return wanted.numbers.includes(reader.double());
    case booleanTag:
      return wanted.booleans.includes(reader.varint() !== 0);
    case textTag: {
      const end = reader.enter();
      const isMatch = isTextIn(reader, end, wanted.texts);
      reader.pos = end;
      return isMatch;
    }
    default:
      reader.skip(next);
      return false;
  }
}
