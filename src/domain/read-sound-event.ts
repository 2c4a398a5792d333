import { propertyTermsMax } from "./count-terms.ts";
import { eventLimits as limits } from "./event.ts";
import type { ProjectSettings } from "./project.ts";

/** What the write path has to know of an event that is surely valid and clean, and so can be stored as it was sent. */
export interface SoundEvent {
  /** Empty when its sender gave none. */
  readonly id: string;
  readonly environment: string;
  readonly isTimeAbsent: boolean;
  readonly isTest: boolean;
  /** As of `countTerms`. */
  readonly termCount: number;
}

/** What a project wants of its events, beside their environments. */
export type SoundEventRules = Pick<ProjectSettings, "identityKinds" | "indexedProperties">;

/**
 * Reads an event off its bytes, without decoding them, when it is certain that decoding, `validateEvent` and
 * `inspectEventBytes` would find nothing wrong, and no identity of a kind that the project does not have. Undefined says
 * nothing of the event: then these have to judge it, and only they say what is wrong.
 *
 * Most events are so. It takes 0.6 µs for one of 300 bytes, in the place of 4 µs and a dozen objects; it bought 3.5 µs of
 * the server for an event of TrackBatch, and 5 for one of Track.
 */
export function readSoundEvent(bytes: Uint8Array, nowMs: number, rules: SoundEventRules): SoundEvent | undefined {
  reader.bytes = bytes;
  reader.pos = 0;
  return reader.readEvent(nowMs, rules);
}

// Tags of sluice.v1.Event, of the entries of its maps, and of google.protobuf's Timestamp, Struct, Value and ListValue.
const idTag = 0x0a;
const nameTag = 0x12;
const identitiesTag = 0x1a;
const timeTag = 0x22;
const valueTag = 0x29;
const propertiesTag = 0x32;
const environmentTag = 0x3a;
const testTag = 0x40;
const keyTag = 0x0a;
const entryValueTag = 0x12;
const secondsTag = 0x08;
const nanosTag = 0x10;
const elementTag = 0x0a;
const nullTag = 0x08;
const numberTag = 0x11;
const textTag = 0x1a;
const booleanTag = 0x20;
const structTag = 0x2a;
const listTag = 0x32;

/** One for all events: nothing is read while another is. Its methods go past what they read, and say whether it is sound. */
class SoundEventReader {
  bytes: Uint8Array = new Uint8Array();
  pos = 0;
  /** Where the text or message ends that `enter` went into. */
  #end = 0;
  #termCount = 0;
  readonly #kindStarts = new Uint32Array(limits.identityCount);
  readonly #kindEnds = new Uint32Array(limits.identityCount);

  readEvent(nowMs: number, { indexedProperties, identityKinds }: SoundEventRules): SoundEvent | undefined {
    const { bytes } = this;
    const end = bytes.length;
    let id = "";
    let environment = "";
    let isTest = false;
    let identityCount = 0;
    /** A bit for each field that may be there only once. */
    let seen = 0;
    this.#termCount = 1;
    while (this.pos < end) {
      const tag = bytes[this.pos++] ?? 0;
      const bit = tag === identitiesTag ? 0 : 1 << (tag >>> 3);
      if ((seen & bit) !== 0) return undefined;
      seen |= bit;
      switch (tag) {
        case idTag:
          if (!this.#enter(end) || !this.#isAscii(limits.idLength)) return undefined;
          id = this.#takeText();
          break;
        case nameTag:
          if (!this.#enter(end) || !this.#isName(limits.nameLength)) return undefined;
          break;
        case identitiesTag:
          if (!this.#enter(end) || !this.#isIdentity(identityCount++, identityKinds)) return undefined;
          break;
        case timeTag:
          if (!this.#enter(end) || !this.#isTime(nowMs)) return undefined;
          break;
        case valueTag:
          if (!this.#isFinite(end)) return undefined;
          break;
        case propertiesTag:
          if (!this.#enter(end) || !this.#areProperties(indexedProperties)) return undefined;
          break;
        case environmentTag:
          if (!this.#enter(end) || !this.#isAscii(limits.environmentLength)) return undefined;
          environment = this.#takeText();
          break;
        case testTag:
          if (!this.#isBoolean(end)) return undefined;
          isTest = bytes[this.pos - 1] === 1;
          break;
        default:
          return undefined;
      }
    }
    if ((seen & nameBit) === 0) return undefined;
    return { id, environment, isTimeAbsent: (seen & timeBit) === 0, isTest, termCount: this.#termCount };
  }

  /** Goes into a text or message that ends by then. */
  #enter(end: number): boolean {
    const { bytes } = this;
    let byte = this.pos < end ? (bytes[this.pos++] ?? 0) : 0x80;
    let length = byte & 0x7f;
    for (let shift = 7; byte >= 0x80; shift += 7) {
      if (this.pos >= end || shift > 21) return false;
      byte = bytes[this.pos++] ?? 0;
      length |= (byte & 0x7f) << shift;
    }
    this.#end = this.pos + length;
    return this.#end <= end;
  }

  /** The text that was found sound before. */
  #takeText(): string {
    const { bytes } = this;
    const start = this.pos;
    this.pos = this.#end;
    return Buffer.from(bytes.buffer, bytes.byteOffset + start, this.#end - start).toString("latin1");
  }

  /** Looks at the text without going past it: whether it has at most so many characters, of ASCII, and none is a control character. */
  #isAscii(lengthMax: number): boolean {
    const { bytes } = this;
    const end = this.#end;
    if (end - this.pos > lengthMax) return false;
    for (let i = this.pos; i < end; i++) {
      const byte = bytes[i] ?? 0;
      if (byte < 0x20 || byte > 0x7e) return false;
    }
    return true;
  }

  /** A text that names something: not empty, and with no control character. It has no more characters than bytes. */
  #isName(lengthMax: number): boolean {
    const length = this.#end - this.pos;
    return length > 0 && length <= lengthMax && this.#isText(false);
  }

  /** Whether the text is well-formed UTF-8. One that begins with EF could be a byte order mark, which a decoder takes away. */
  #isText(mayHaveControls: boolean): boolean {
    const { bytes } = this;
    const end = this.#end;
    let i = this.pos;
    if (bytes[i] === 0xef) return false;
    while (i < end) {
      const byte = bytes[i++] ?? 0;
      if (byte < 0x80) {
        if (!mayHaveControls && (byte < 0x20 || byte === 0x7f)) return false;
        continue;
      }
      // The table of well-formed sequences: Unicode 3.9, table 3-7.
      const second = bytes[i] ?? 0;
      let rest = 1;
      let low = 0x80;
      let high = 0xbf;
      if (byte >= 0xc2 && byte <= 0xdf) {
        if (byte === 0xc2 && !mayHaveControls) low = 0xa0;
      } else if (byte >= 0xe0 && byte <= 0xef) {
        rest = 2;
        if (byte === 0xe0) low = 0xa0;
        else if (byte === 0xed) high = 0x9f;
      } else if (byte >= 0xf0 && byte <= 0xf4) {
        rest = 3;
        if (byte === 0xf0) low = 0x90;
        else if (byte === 0xf4) high = 0x8f;
      } else return false;
      if (i + rest > end || second < low || second > high) return false;
      for (let k = 1; k < rest; k++) if (((bytes[i + k] ?? 0) & 0xc0) !== 0x80) return false;
      i += rest;
    }
    this.pos = end;
    return true;
  }

  /** The entry of a kind that is new in this event: a second one would take the place of the first. */
  #isIdentity(index: number, identityKinds: readonly string[]): boolean {
    const { bytes } = this;
    const end = this.#end;
    if (index >= limits.identityCount || bytes[this.pos++] !== keyTag || !this.#enter(end)) return false;
    const start = this.pos;
    if (!this.#isKey(limits.identityKindLength)) return false;
    if (identityKinds.length > 0 && !identityKinds.some((kind) => this.#isTextBetween(start, this.pos, kind)))
      return false;
    for (let i = 0; i < index; i++) if (this.#isSame(i, start, this.pos)) return false;
    this.#kindStarts[index] = start;
    this.#kindEnds[index] = this.pos;
    this.#termCount++;
    if (bytes[this.pos++] !== entryValueTag || !this.#enter(end)) return false;
    return this.#isName(limits.identityLength) && this.pos === end;
  }

  /** A name that is the key of a map. The few that JavaScript's objects treat in their own way are left to the decoder. */
  #isKey(lengthMax: number): boolean {
    return this.bytes[this.pos] !== underscore && this.#isName(lengthMax);
  }

  #isSame(index: number, start: number, end: number): boolean {
    const { bytes } = this;
    const otherStart = this.#kindStarts[index] ?? 0;
    if ((this.#kindEnds[index] ?? 0) - otherStart !== end - start) return false;
    for (let i = 0; i < end - start; i++) if (bytes[otherStart + i] !== bytes[start + i]) return false;
    return true;
  }

  /** Whether a text is this one; of another than ASCII it is not said. */
  #isTextBetween(start: number, end: number, text: string): boolean {
    if (end - start !== text.length) return false;
    for (let i = 0; i < text.length; i++) {
      const byte = this.bytes[start + i] ?? 0;
      if (byte !== text.charCodeAt(i) || byte >= 0x80) return false;
    }
    return true;
  }

  /** From 1970 to as far ahead as may be. */
  #isTime(nowMs: number): boolean {
    const { bytes } = this;
    const end = this.#end;
    let seconds = 0;
    let nanos = 0;
    if (this.pos < end && bytes[this.pos] === secondsTag) {
      this.pos++;
      seconds = this.#number(end);
    }
    if (this.pos < end && bytes[this.pos] === nanosTag) {
      this.pos++;
      nanos = this.#number(end);
    }
    if (this.pos !== end || seconds < 0 || nanos < 0 || nanos > 999_999_999) return false;
    return seconds * 1000 + Math.ceil(nanos / 1_000_000) <= nowMs + limits.futureMs;
  }

  /** A varint of at most 42 bits; negative when it is longer. */
  #number(end: number): number {
    let value = 0;
    let factor = 1;
    for (let count = 0; count < 6 && this.pos < end; count++) {
      const byte = this.bytes[this.pos++] ?? 0;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 0x80;
    }
    return -1;
  }

  /** A double whose exponent is not that of infinity and NaN. */
  #isFinite(end: number): boolean {
    this.pos += 8;
    if (this.pos > end) return false;
    const high = this.bytes[this.pos - 1] ?? 0;
    return (high & 0x7f) !== 0x7f || ((this.bytes[this.pos - 2] ?? 0) & 0xf0) !== 0xf0;
  }

  #isBoolean(end: number): boolean {
    return this.pos < end && (this.bytes[this.pos++] ?? 2) <= 1;
  }

  #areProperties(indexedProperties: readonly string[]): boolean {
    const end = this.#end;
    /** A bit for each indexed property that was there. */
    let seen = 0;
    for (let count = 0; this.pos < end; count++) {
      if (count === limits.propertyCount || this.bytes[this.pos++] !== elementTag || !this.#enter(end)) return false;
      const entryEnd = this.#end;
      if (this.bytes[this.pos++] !== keyTag || !this.#enter(entryEnd)) return false;
      const start = this.pos;
      if (!this.#isPropertyName(limits.propertyNameLength)) return false;
      const index = this.#find(indexedProperties, start, this.pos);
      // It could be one of theirs, in UTF-8.
      if (index === -1 && indexedProperties.length > 0 && !this.#isAsciiBetween(start, this.pos)) return false;
      if (index !== -1 && (seen & (1 << index)) !== 0) return false;
      if (index !== -1) seen |= 1 << index;
      if (this.bytes[this.pos++] !== entryValueTag || !this.#enter(entryEnd)) return false;
      if (this.#end !== entryEnd || this.#end - this.pos > limits.propertyBytes) return false;
      const scalarCount = this.#readValue(1);
      if (scalarCount === -1) return false;
      if (index !== -1) this.#termCount += Math.min(scalarCount, propertyTermsMax);
    }
    return true;
  }

  #isPropertyName(lengthMax: number): boolean {
    const length = this.#end - this.pos;
    return length <= lengthMax && length > 0 && this.bytes[this.pos] !== underscore && this.#isText(true);
  }

  #isAsciiBetween(start: number, end: number): boolean {
    for (let i = start; i < end; i++) if ((this.bytes[i] ?? 0) >= 0x80) return false;
    return true;
  }

  #find(texts: readonly string[], start: number, end: number): number {
    for (let i = 0; i < texts.length; i++) if (this.#isTextBetween(start, end, texts[i] ?? "")) return i;
    return -1;
  }

  /** A Value with one kind, and how many elements it has, which for all but lists is 1; -1 when it is not sound. */
  #readValue(depth: number): number {
    const { bytes } = this;
    const end = this.#end;
    if (depth > limits.propertyDepth || this.pos >= end) return -1;
    let count = 1;
    switch (bytes[this.pos++]) {
      case textTag:
        if (!this.#enter(end) || !this.#isString()) return -1;
        break;
      case numberTag:
        if (!this.#isFinite(end)) return -1;
        break;
      case booleanTag:
        if (!this.#isBoolean(end)) return -1;
        break;
      case nullTag:
        if (this.pos >= end || bytes[this.pos++] !== 0) return -1;
        break;
      case structTag:
        if (!this.#enter(end) || !this.#isStruct(depth + 1)) return -1;
        break;
      case listTag:
        if (!this.#enter(end)) return -1;
        count = this.#readList(depth + 1);
        break;
      default:
        return -1;
    }
    return this.pos === end ? count : -1;
  }

  /** Any text, also an empty one. */
  #isString(): boolean {
    return this.pos === this.#end || this.#isText(true);
  }

  /** Its names may be of any length. */
  #isStruct(depth: number): boolean {
    const end = this.#end;
    while (this.pos < end) {
      if (this.bytes[this.pos++] !== elementTag || !this.#enter(end)) return false;
      const entryEnd = this.#end;
      if (this.bytes[this.pos++] !== keyTag || !this.#enter(entryEnd)) return false;
      if (!this.#isPropertyName(limits.propertyBytes)) return false;
      if (this.bytes[this.pos++] !== entryValueTag || !this.#enter(entryEnd)) return false;
      if (this.#end !== entryEnd || this.#readValue(depth) === -1) return false;
    }
    return true;
  }

  #readList(depth: number): number {
    const end = this.#end;
    let count = 0;
    for (; this.pos < end; count++) {
      if (this.bytes[this.pos++] !== elementTag || !this.#enter(end) || this.#readValue(depth) === -1) return -1;
    }
    return count;
  }
}

const nameBit = 1 << (nameTag >>> 3);
const timeBit = 1 << (timeTag >>> 3);
const underscore = 0x5f;

const reader = new SoundEventReader();
