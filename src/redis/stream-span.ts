import type { EventFilter } from "../domain/event-filter.ts";
import type { ReadRange } from "../domain/ports.ts";
import { comparePlaces, placeBefore, placeBehind, type StreamPlace, toStreamId } from "./stream-place.ts";

/** A part of a stream. */
export interface StreamSpan {
  /** Inclusive. */
  readonly low: StreamPlace;
  /** Exclusive; absent: to the end. */
  readonly high?: StreamPlace | undefined;
}

export const wholeStream: StreamSpan = { low: { ms: 0, seq: 0 } };

/** What a range leaves of the stream. */
export function toSpan({ order, after, filter }: Omit<ReadRange, "countMax">): StreamSpan {
  const behind = after === undefined ? wholeStream : spanBehind(after, order);
  return intersect(behind, toReceiveSpan(filter));
}

/** What is still to come in an order, behind a place. */
export function spanBehind(place: StreamPlace, order: ReadRange["order"]): StreamSpan {
  return order === "newest-first" ? { low: wholeStream.low, high: place } : { low: placeBehind(place) };
}

function toReceiveSpan(filter: EventFilter | undefined): StreamSpan {
  const { receivedFromMs = 0, receivedUntilMs } = filter ?? {};
  const low = { ms: receivedFromMs, seq: 0 };
  return receivedUntilMs === undefined ? { low } : { low, high: { ms: receivedUntilMs, seq: 0 } };
}

export function intersect(a: StreamSpan, b: StreamSpan): StreamSpan {
  const low = comparePlaces(a.low, b.low) >= 0 ? a.low : b.low;
  if (a.high === undefined || b.high === undefined) return { low, high: a.high ?? b.high };
  return { low, high: comparePlaces(a.high, b.high) <= 0 ? a.high : b.high };
}

export function isEmpty({ low, high }: StreamSpan): boolean {
  return high !== undefined && comparePlaces(low, high) >= 0;
}

/** Whether a span holds a place. */
export function isWithin(place: StreamPlace, { low, high }: StreamSpan): boolean {
  return comparePlaces(place, low) >= 0 && (high === undefined || comparePlaces(place, high) < 0);
}

/** The place behind which a span begins in an order; undefined: at the end of the stream. */
export function startOf({ low, high }: StreamSpan, order: ReadRange["order"]): StreamPlace | undefined {
  return order === "newest-first" ? high : placeBefore(low);
}

/** The place behind which nothing of a span is left in an order; undefined: it has no end. */
export function endOf({ low, high }: StreamSpan, order: ReadRange["order"]): StreamPlace | undefined {
  return order === "newest-first" ? low : high && placeBefore(high);
}

/** The arguments of XRANGE for a span: start and end. */
export function toRangeArgs({ low, high }: StreamSpan): [start: string, end: string] {
  return [toStreamId(low), high === undefined ? "+" : `(${toStreamId(high)}`];
}
