/** One message as it is on the wire. */
export interface GrpcFrame {
  readonly isCompressed: boolean;
  /** A copy: what was received can go. */
  readonly bytes: Buffer;
}

const headBytes = 5;

/** Smaller pieces are put together: each costs a hundred bytes, and a message may come in pieces of one. */
const smallBytes = 4096;
const nothing: Buffer = Buffer.alloc(0);

/**
 * Takes the bytes of a request apart into gRPC's length-prefixed messages, one whenever it is asked for. What has come of
 * a message whose rest has not is kept as it came, so that memory grows with what was sent, not with what was announced.
 */
export class FrameReader {
  readonly #bytesMax: number;
  /** What was received last, read up to an offset. */
  #chunk = nothing;
  #offset = 0;
  /** What has come before it of the frame that is being read. */
  #parts: Buffer[] = [];
  #partBytes = 0;

  /** A message may have so many bytes. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Takes more bytes; those before have been read, as far as they can be. */
  push(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#offset = 0;
  }

  /** The next whole message; undefined when more bytes are needed. Throws RangeError for one that is announced as too large. */
  take(): GrpcFrame | undefined {
    const there = this.#partBytes + this.#chunk.length - this.#offset;
    if (there < headBytes) return this.#keepRest();
    const length = this.#byteAt(1) * 0x1000000 + ((this.#byteAt(2) << 16) | (this.#byteAt(3) << 8) | this.#byteAt(4));
    if (length > this.#bytesMax) throw new RangeError(`a message of ${length} bytes`);
    if (there < headBytes + length) return this.#keepRest();
    const isCompressed = this.#byteAt(0) === 1;
    const end = this.#offset + headBytes + length - this.#partBytes;
    const last = this.#chunk.subarray(this.#offset, end);
    const frame = this.#parts.length === 0 ? last : Buffer.concat([...this.#parts, last]);
    const bytes = frame.subarray(headBytes);
    this.#offset = end;
    const isCopy = this.#parts.length > 0;
    this.#parts = [];
    this.#partBytes = 0;
    return { isCompressed, bytes: isCopy ? bytes : Buffer.from(bytes) };
  }

  /** Whether a part of a message has come whose rest has not. */
  isInside(): boolean {
    return this.#partBytes > 0;
  }

  #keepRest(): undefined {
    let rest = this.#offset === this.#chunk.length ? nothing : this.#chunk.subarray(this.#offset);
    this.#partBytes += rest.length;
    // As in a binary counter: a byte is copied a dozen times at most.
    for (let last = this.#parts.at(-1); last !== undefined && isJoined(last, rest); last = this.#parts.at(-1)) {
      rest = Buffer.concat([last, rest]);
      this.#parts.pop();
    }
    if (rest.length > 0) this.#parts.push(rest);
    this.#chunk = nothing;
    this.#offset = 0;
  }

  /** A byte of the head of the frame that is being read, which may have come in several parts. */
  #byteAt(index: number): number {
    if (this.#partBytes === 0) return this.#chunk[this.#offset + index] ?? 0;
    let at = index;
    for (const part of this.#parts) {
      if (at < part.length) return part[at] ?? 0;
      at -= part.length;
    }
    return this.#chunk[this.#offset + at] ?? 0;
  }
}

function isJoined(last: Buffer, rest: Buffer): boolean {
  return rest.length > 0 && last.length < smallBytes && last.length <= rest.length;
}
