import { randomBytes } from "node:crypto";
import type { Position } from "../domain/cursor.ts";
import { toCursor } from "../domain/cursor.ts";
import { SluiceError } from "../domain/errors.ts";
import { comparePlaces, parseStreamId, type StreamPlace } from "./stream-place.ts";

/** What a read learns of the data set that it read from, in the same step or after it: so nothing is missed unseen. */
export interface DataSet {
  /** Undefined when nothing was ever written. */
  readonly epoch: string | undefined;
  /** Up to which there are no events any more, inclusive. */
  readonly trimmed: StreamPlace | undefined;
}

/** A name for a new data set: 12 base64url characters. */
export function makeEpoch(): string {
  return randomBytes(9).toString("base64url");
}

/** From the fields of the meta hash, which may be missing. */
export function readDataSet(epoch: Buffer | string | null, trimmed: Buffer | string | null): DataSet {
  return {
    epoch: epoch === null || epoch.length === 0 ? undefined : epoch.toString(),
    trimmed: trimmed === null || trimmed.length === 0 ? undefined : parseStreamId(trimmed.toString()),
  };
}

/** Throws CURSOR_EXPIRED unless all behind a position, newest or oldest first, is what the data set holds. */
export async function checkPosition(
  { epoch, trimmed }: DataSet,
  position: Position | undefined,
  readOldest: () => Promise<Position | undefined>,
): Promise<void> {
  if (position === undefined) return;
  if (position.epoch !== epoch) {
    throw new SluiceError("CURSOR_EXPIRED", "the position is of a data set that is gone");
  }
  if (trimmed === undefined || comparePlaces(position, trimmed) >= 0) return;
  const oldest = await readOldest();
  throw new SluiceError("CURSOR_EXPIRED", "the position is before the oldest event that is kept", {
    ...(oldest && { oldestCursor: toCursor(oldest) }),
  });
}
