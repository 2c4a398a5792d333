import { recordBytes, writeRecord } from "../index-record.ts";
import type { StreamPlace } from "../stream-place.ts";

/** Records on their way to the buckets of a segment, in as little memory as they take. */
export interface BucketRecords {
  add(bucket: number, place: StreamPlace, fingerprint: number): void;
  /** The memory that is taken. */
  bytes(): number;
  /** Hands all records out, by bucket, each in the order in which they were added; none are left. */
  drain(): Generator<[bucket: number, records: Buffer]>;
}

const bytesAtFirst = 16 * recordBytes;

/** For the segment with this base. */
export function createBucketRecords(base: StreamPlace): BucketRecords {
  const buckets = new Map<number, { records: Buffer; length: number }>();
  let bytes = 0;
  return {
    add(bucket, place, fingerprint) {
      let held = buckets.get(bucket);
      if (held === undefined) {
        held = { records: Buffer.allocUnsafeSlow(bytesAtFirst), length: 0 };
        buckets.set(bucket, held);
        bytes += bytesAtFirst;
      } else if (held.length === held.records.length) {
        const larger = Buffer.allocUnsafeSlow(2 * held.length);
        held.records.copy(larger);
        bytes += held.length;
        held.records = larger;
      }
      writeRecord(held.records, held.length, base, place, fingerprint);
      held.length += recordBytes;
    },
    bytes: () => bytes,
    *drain() {
      for (const [bucket, { records, length }] of buckets) {
        buckets.delete(bucket);
        yield [bucket, records.subarray(0, length)];
      }
      bytes = 0;
    },
  };
}
