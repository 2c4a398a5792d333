import { randomFillSync } from "node:crypto";
import type { Position } from "../domain/cursor.ts";
import { toCursor } from "../domain/cursor.ts";
import { SluiceError } from "../domain/errors.ts";
import { comparePlaces, parseStreamId, placeBehind, type StreamPlace } from "./stream-place.ts";
import { intersect, type StreamSpan } from "./stream-span.ts";

/** What a read learns of the data set that it read from, in the same step or after it: so nothing is missed unseen. */
export interface DataSet {
  /** Undefined when nothing was ever written. */
  readonly epoch: string | undefined;
  /** Up to which there are no events any more, inclusive. */
  readonly trimmed: StreamPlace | undefined;
  /** Of the segments; empty when there are none. */
  readonly segmentsVersion: string;
}

/** The fields of the meta hash that tell of it. */
export const dataSetFields = ["epoch", "trimmed", "segments_version"] as const;

type Field = Buffer | string | null | undefined;

const epochBytes = 9;

// One is offered with each chunk, and taken hardly ever; to ask for random bytes each time is 2 % of a unary call.
const pool = Buffer.alloc(256 * epochBytes);
let poolOffset = pool.length;

/** A name for a new data set: 12 base64url characters. */
export function makeEpoch(): string {
  if (poolOffset === pool.length) {
    randomFillSync(pool);
    poolOffset = 0;
  }
  poolOffset += epochBytes;
  return pool.toString("base64url", poolOffset - epochBytes, poolOffset);
}

/** From those fields, which may be missing or empty. */
export function readDataSet([epoch, trimmed, segmentsVersion]: readonly Field[]): DataSet {
  return {
    epoch: epoch?.toString() || undefined,
    trimmed: trimmed?.length ? parseStreamId(trimmed.toString()) : undefined,
    segmentsVersion: segmentsVersion?.toString() ?? "",
  };
}

/** What retention has left of a span. */
export function cutTrimmed(span: StreamSpan, { trimmed }: DataSet): StreamSpan {
  return trimmed === undefined ? span : intersect(span, { low: placeBehind(trimmed) });
}

/** Throws CURSOR_EXPIRED unless all behind a position, newest or oldest first, is what the data set holds. */
export async function checkPosition(
  { epoch, trimmed }: DataSet,
  position: Position | undefined,
  readOldest: () => Promise<Position | undefined>,
): Promise<void> {
  if (position === undefined) return;
  if (position.epoch !== epoch) {
    throw new SluiceError("CURSOR_EXPIRED", "the position is of another project, or of a data set that is gone");
  }
  if (trimmed === undefined || comparePlaces(position, trimmed) >= 0) return;
  const oldest = await readOldest();
  throw new SluiceError("CURSOR_EXPIRED", "the position is before the oldest event that is kept", {
    ...(oldest && { oldestCursor: toCursor(oldest) }),
  });
}
