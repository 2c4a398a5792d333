/** Where an event is in its project's one total order. */
export interface Position {
  /** Names the data set, 12 base64url characters; another data set's positions mean nothing in this one. */
  readonly epoch: string;
  /** The stream id's millisecond: when the event was stored. */
  readonly ms: number;
  /** Counts up among events of one millisecond. */
  readonly seq: number;
}

const version = 1;
const prefixBytes = 12;
const cursorBytes = prefixBytes + 12;

/** Length of a cursor, in characters. */
export const cursorLength = (cursorBytes / 3) * 4;

const epochLength = 12;

// 3 bytes before the epoch and 9 in it: the prefix of a data set's cursors is then whole base64 groups, encoded once.
const prefixes = new Map<string, string>();

/**
 * A position as clients see it: 32 base64url characters, opaque to them.
 *
 * Layout: version (1 byte), partition (2, always 0 for now), epoch (9), milliseconds (6), sequence (6).
 */
export function toCursor(position: Position): string {
  return prefixOf(position.epoch) + encode48(position.ms) + encode48(position.seq);
}

/** Where the sequence stands in a cursor: all before it is the same for events of one millisecond. */
export const cursorSeqOffset = cursorLength - 8;

/** Writes a cursor, in ASCII. */
export function writeCursor(target: Buffer, offset: number, { epoch, ms, seq }: Position): void {
  target.write(prefixOf(epoch), offset, "latin1");
  write48(target, offset + cursorSeqOffset - 8, ms);
  write48(target, offset + cursorSeqOffset, seq);
}

/** Writes what a cursor ends with, in ASCII. */
export function writeCursorSeq(target: Uint8Array, offset: number, seq: number): void {
  write48(target, offset, seq);
}

/** The position that a cursor stands for, or undefined when it is not a cursor. */
export function parseCursor(cursor: string): Position | undefined {
  if (cursor.length !== cursorLength || !/^[A-Za-z0-9_-]*$/.test(cursor)) return undefined;
  const bytes = Buffer.from(cursor, "base64url");
  if (bytes.readUInt8(0) !== version || bytes.readUInt16BE(1) !== 0) return undefined;
  return { epoch: cursor.slice(4, 4 + epochLength), ms: bytes.readUIntBE(12, 6), seq: bytes.readUIntBE(18, 6) };
}

/** Whether `a` comes before `b` in their data set. */
export function isBefore(a: Position, b: Position): boolean {
  return a.ms < b.ms || (a.ms === b.ms && a.seq < b.seq);
}

function prefixOf(epoch: string): string {
  let prefix = prefixes.get(epoch);
  if (prefix === undefined) {
    if (prefixes.size >= 10_000) prefixes.clear();
    prefix = Buffer.from([version, 0, 0]).toString("base64url") + epoch;
    prefixes.set(epoch, prefix);
  }
  return prefix;
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const alphabetBytes = new TextEncoder().encode(alphabet);

function write48(target: Uint8Array, offset: number, value: number): void {
  let high = Math.floor(value / 0x1000000);
  let low = value % 0x1000000;
  for (let i = 3; i >= 0; i--) {
    target[offset + i] = alphabetBytes[high & 63] ?? 0;
    target[offset + 4 + i] = alphabetBytes[low & 63] ?? 0;
    high >>>= 6;
    low >>>= 6;
  }
}

/** 48 bits as 8 characters. By hand, because a page of 1,000 events needs 2,000 of these. */
function encode48(value: number): string {
  const high = Math.floor(value / 0x1000000);
  const low = value % 0x1000000;
  return encode24(high) + encode24(low);
}

function encode24(value: number): string {
  return (
    alphabet.charAt(value >>> 18) +
    alphabet.charAt((value >>> 12) & 63) +
    alphabet.charAt((value >>> 6) & 63) +
    alphabet.charAt(value & 63)
  );
}
