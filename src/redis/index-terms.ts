import { propertyTermsMax } from "../domain/count-terms.ts";
import { callLimits } from "../domain/event.ts";
import type { PropertyScalar } from "../domain/event-filter.ts";
import { WireReader } from "../domain/wire-reader.ts";
import { firstPropertyIndex, type IndexPlan, identityIndex, nameIndex } from "./index-plan.ts";
import { anyTerm } from "./index-record.ts";

/*
 * A term is what an event is looked up by: its name, one of its identities, a scalar of an indexed property. An index
 * knows only its hash, so that what is looked up still has to be sifted. Written for the append path: it walks the bytes
 * of an event without decoding them, about half a µs for an event with a dozen fields.
 */

/** Longer texts are equal to no text of a filter: in UTF-8, a character has four bytes at most. */
const textBytesMax = 4 * callLimits.filterPropertyLength;

/** Told of a term: the ordinal of its index in the plan, and its hash of 32 bits. */
export type VisitTerm = (ordinal: number, term: number) => void;

/** Calls `visit` with every term of an event, with some perhaps twice. Expects the bytes of a stored event. */
export function visitTerms(plan: IndexPlan, bytes: Uint8Array, visit: VisitTerm): void {
  reader.begin(bytes);
  while (reader.pos < bytes.length) {
    const tag = reader.varint();
    if (tag === nameTag) visit(nameIndex, finish(hashTo(hashSeed, reader.enter())));
    else if (tag === identitiesTag) visitIdentity(reader.enter(), visit);
    else if (tag === propertiesTag && plan.propertyKeys.length > 0) visitProperties(plan, reader.enter(), visit);
    else reader.skip(tag);
  }
}

/** The term of events with this name. */
export function nameTerm(name: string): number {
  return finish(hashText(hashSeed, name));
}

/** The term of events with this identity. */
export function identityTerm({ kind, id }: { readonly kind: string; readonly id: string }): number {
  return finish(hashText(hashByte(hashText(hashSeed, kind), 0), id));
}

/** The terms of which events have one when the property equals a scalar, or contains it. */
export function propertyTerms(scalar: PropertyScalar): readonly number[] {
  return [finish(hashText(hashSeed, String(scalar))), anyTerm];
}

const reader = new WireReader();

// Tags of sluice.v1.Event, of the entries of its maps, and of google.protobuf's Struct, Value and ListValue.
const nameTag = 0x12;
const identitiesTag = 0x1a;
const propertiesTag = 0x32;
const keyTag = 0x0a;
const entryValueTag = 0x12;
const elementTag = 0x0a;
const nullTag = 0x08;
const numberTag = 0x11;
const textTag = 0x1a;
const booleanTag = 0x20;
const listTag = 0x32;

/** An entry of `identities`, whose parts may stand in either order. */
function visitIdentity(end: number, visit: VisitTerm): void {
  const start = reader.pos;
  const keyEnd = reader.enterLast(keyTag, end);
  const kind = hashByte(hashTo(hashSeed, keyEnd), 0);
  reader.pos = start;
  visit(identityIndex, finish(hashTo(kind, reader.enterLast(entryValueTag, end))));
  reader.pos = end;
}

function visitProperties(plan: IndexPlan, structEnd: number, visit: VisitTerm): void {
  for (let end = reader.enterNext(elementTag, structEnd); end !== undefined; ) {
    const start = reader.pos;
    const i = findProperty(plan, reader.enterLast(keyTag, end));
    if (i !== -1) {
      reader.pos = start;
      visitScalars(reader.enterLast(entryValueTag, end), firstPropertyIndex + i, visit);
    }
    reader.pos = end;
    end = reader.enterNext(elementTag, structEnd);
  }
}

function findProperty({ propertyKeys }: IndexPlan, keyEnd: number): number {
  for (let i = 0; i < propertyKeys.length; i++) {
    const property = propertyKeys[i];
    if (property !== undefined && reader.isText(keyEnd, property)) return i;
  }
  return -1;
}

/** The scalar that a Value is, or those in the list that it is. */
function visitScalars(end: number, ordinal: number, visit: VisitTerm): void {
  const start = reader.pos;
  if (start >= end || reader.varint() !== listTag) {
    reader.pos = start;
    const term = readScalar(end);
    if (term !== undefined) visit(ordinal, term);
    return;
  }
  const listEnd = reader.enter();
  const terms = new Set<number>();
  for (let next = reader.enterNext(elementTag, listEnd); next !== undefined; ) {
    const term = readScalar(next);
    if (term !== undefined) terms.add(term);
    if (terms.size > propertyTermsMax) {
      visit(ordinal, anyTerm);
      return;
    }
    reader.pos = next;
    next = reader.enterNext(elementTag, listEnd);
  }
  for (const term of terms) visit(ordinal, term);
}

/** The term of a Value, if it is a scalar that a filter could be equal to. */
function readScalar(end: number): number | undefined {
  if (reader.pos >= end) return undefined;
  switch (reader.varint()) {
    case nullTag:
      return nullTerm;
    case booleanTag:
      return reader.varint() === 0 ? falseTerm : trueTerm;
    case numberTag:
      return asciiTerm(String(reader.double()));
    case textTag: {
      const textEnd = reader.enter();
      return textEnd - reader.pos > textBytesMax ? undefined : finish(hashTo(hashSeed, textEnd));
    }
    default:
      return undefined;
  }
}

// FNV-1a, which takes a byte at a time, so that an identity's two texts need not be joined; its last step of MurmurHash3,
// as FNV's high bits, which choose the bucket, are poor on short texts. Whoever makes two texts collide gets both read.
const hashSeed = 0x811c9dc5;

function hashByte(state: number, byte: number): number {
  return Math.imul(state ^ byte, 0x01000193);
}

/** Of what is read, up to there. */
function hashTo(state: number, end: number): number {
  const { bytes } = reader;
  let hash = state;
  for (let i = reader.pos; i < end; i++) hash = Math.imul(hash ^ (bytes[i] ?? 0), 0x01000193);
  reader.pos = end;
  return hash;
}

function hashText(state: number, text: string): number {
  return Buffer.from(text, "utf8").reduce(hashByte, state);
}

/** The term of a text of ASCII, without encoding it. */
function asciiTerm(text: string): number {
  let hash = hashSeed;
  for (let i = 0; i < text.length; i++) hash = hashByte(hash, text.charCodeAt(i));
  return finish(hash);
}

function finish(state: number): number {
  let hash = state;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

const nullTerm = asciiTerm("null");
const trueTerm = asciiTerm("true");
const falseTerm = asciiTerm("false");
