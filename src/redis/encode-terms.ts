import type { EventToAppend } from "../domain/ports.ts";
import type { IndexPlan } from "./index-plan.ts";
import { bucketCount, bucketName, bucketOf, fingerprintOf } from "./index-record.ts";
import { visitTerms } from "./index-terms.ts";

/**
 * The terms of a chunk's events as the append script takes them: by bucket, so that it appends to each only once. In a
 * bucket they are in the order of the events.
 */
export function encodeTerms(plan: IndexPlan, events: readonly HoldsEvent[]): Buffer {
  const byBucket = new Map<number, number[]>();
  let termCount = 0;
  for (const [i, { event }] of events.entries()) {
    visitTerms(plan, event.bytes, (ordinal, term) => {
      const bucket = ordinal * bucketCount + bucketOf(term);
      const terms = byBucket.get(bucket);
      if (terms === undefined) byBucket.set(bucket, [i, fingerprintOf(term)]);
      else terms.push(i, fingerprintOf(term));
      termCount++;
    });
  }
  const encoded = Buffer.allocUnsafe(byBucket.size * 5 + termCount * 5);
  let offset = 0;
  for (const [bucket, terms] of byBucket) {
    offset = encoded.writeUInt8(Math.floor(bucket / bucketCount), offset);
    offset += encoded.write(bucketName(bucket % bucketCount), offset, "latin1");
    offset = encoded.writeUInt16BE(terms.length / 2, offset);
    for (let i = 0; i < terms.length; i += 2) {
      offset = encoded.writeUInt16BE(terms[i] ?? 0, offset);
      offset = encoded.writeUIntBE(terms[i + 1] ?? 0, offset, 3);
    }
  }
  return encoded;
}

interface HoldsEvent {
  readonly event: Pick<EventToAppend, "bytes">;
}
