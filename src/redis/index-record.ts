import type { StreamPlace } from "./stream-place.ts";

/*
 * A bucket of an index is a string of records in the order of the stream. A record is 10 bytes, big-endian, so that
 * records compare as their positions do: ms behind the base of the segment (4), seq (3), fingerprint of the term (3).
 * Of the events of the base's own ms the seq is counted from the base's; any other begins at 0 in a segment.
 */

export const recordBytes = 10;

/** How many buckets an index has in each segment: those that a term's hash chooses, and the one of terms that stand for any. */
export const bucketCount = 1025;

/** The term of events with too many in one index: they are found whatever is looked for. */
export const anyTerm = 0;

/** A segment ends before a position that is this far behind its base would have to be written. */
export const msOffsetMax = 0xffffffff;

export function bucketOf(term: number): number {
  return term === anyTerm ? bucketCount - 1 : term >>> 22;
}

export function fingerprintOf(term: number): number {
  return term & 0xffffff;
}

/** Writes the record of a term that an event of the segment has. */
export function writeRecord(
  target: Buffer,
  offset: number,
  base: StreamPlace,
  place: StreamPlace,
  fingerprint: number,
): void {
  const msOffset = place.ms - base.ms;
  target.writeUInt32BE(msOffset, offset);
  target.writeUIntBE(msOffset === 0 ? place.seq - base.seq : place.seq, offset + 4, 3);
  target.writeUIntBE(fingerprint, offset + 7, 3);
}

/** The event that a record is of. */
export function readPlace(records: Buffer, offset: number, base: StreamPlace): StreamPlace {
  const msOffset = records.readUInt32BE(offset);
  const seq = records.readUIntBE(offset + 4, 3);
  return { ms: base.ms + msOffset, seq: msOffset === 0 ? base.seq + seq : seq };
}

/** The key of a bucket, below the prefix of the project's indexes. */
export function bucketKey(prefix: string, base: string, indexId: string, bucket: number): string {
  return `${prefix}:${base}:${indexId}:${bucketName(bucket)}`;
}

/** What a bucket is called in keys: two characters. */
export function bucketName(bucket: number): string {
  return bucket.toString(36).padStart(2, "0");
}
