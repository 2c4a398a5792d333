import { WireType } from "@bufbuild/protobuf/wire";

/**
 * Reads the fields of protobuf messages in place, one message after the other, and makes nothing meanwhile: the library's
 * reader, made anew for each message, makes a view of each, and of whatever it skips.
 *
 * Expects sound messages, as only such are stored. Of others it reads nonsense, but comes to an end.
 */
export class WireReader {
  bytes: Uint8Array = new Uint8Array();
  pos = 0;
  readonly #double = new DataView(new ArrayBuffer(8));

  /** Goes to the first field of a message. */
  begin(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.pos = 0;
  }

  /** Goes into the next field of this tag; returns where that ends, or undefined when there is none before `end`. */
  enterNext(tag: number, end: number): number | undefined {
    while (this.pos < end) {
      const next = this.varint();
      if (next === tag) return this.enter();
      this.skip(next);
    }
    return undefined;
  }

  /** Goes into the last field of this tag before `end`, and returns where that ends; an empty one when there is none. */
  enterLast(tag: number, end: number): number {
    let lastStart = end;
    let lastEnd = end;
    for (let next = this.enterNext(tag, end); next !== undefined; next = this.enterNext(tag, end)) {
      lastStart = this.pos;
      lastEnd = next;
      this.pos = next;
    }
    this.pos = lastStart;
    return lastEnd;
  }

  /** Goes into the text or message that stands here; returns where that ends. */
  enter(): number {
    const length = this.varint();
    return this.pos + length;
  }

  /** The varint that stands here; its lowest 32 bits, as a tag and a length have no more. */
  varint(): number {
    let byte = this.#next();
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    for (let shift = 7; byte >= 0x80; shift += 7) {
      byte = this.#next();
      if (shift < 32) value |= (byte & 0x7f) << shift;
    }
    return value >>> 0;
  }

  double(): number {
    for (let i = 0; i < 8; i++) this.#double.setUint8(i, this.#next());
    return this.#double.getFloat64(0, true);
  }

  /** Whether the text from here to its end is this one. */
  isText(end: number, text: Uint8Array): boolean {
    if (end - this.pos !== text.length) return false;
    for (let i = 0; i < text.length; i++) if (this.bytes[this.pos + i] !== text[i]) return false;
    return true;
  }

  /** Goes past a field whose tag has been read. Throws when it is a group, which no message of ours has. */
  skip(tag: number): void {
    switch (tag & 7) {
      case WireType.LengthDelimited:
        this.pos = this.enter();
        break;
      case WireType.Varint:
        this.varint();
        break;
      case WireType.Bit64:
        this.pos += 8;
        break;
      case WireType.Bit32:
        this.pos += 4;
        break;
      default:
        throw new Error("a message holds a group");
    }
  }

  #next(): number {
    return this.bytes[this.pos++] ?? 0;
  }
}
