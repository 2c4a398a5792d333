import type { Redis } from "ioredis";
import type { ProjectKeys } from "../keys.ts";
import { loadScript } from "../scripts.ts";
import { parseStreamId, type StreamPlace, toStreamId } from "../stream-place.ts";
import type { Rest } from "./pace.ts";
import { createStepSize } from "./step-size.ts";

/** Which events to walk over, from the newest back. */
export interface EventRange {
  /** The first event behind them; undefined: up to `newest`. */
  readonly behind: StreamPlace | undefined;
  readonly newest: StreamPlace;
  /** The first of them; undefined: as far back as the others allow. */
  readonly base: StreamPlace | undefined;
  readonly countMax: number;
  /** How far the first may be before the last, in ms. */
  readonly msMax: number;
}

/** What there is of a range. */
export interface MeasuredEvents {
  readonly eventCount: number;
  /** The oldest event; undefined when there is none. */
  readonly oldest: StreamPlace | undefined;
}

/**
 * Counts events, and finds the oldest of them, without having them sent, in bounded steps. Rejects as `rest` and ioredis do.
 */
export type MeasureEvents = (keys: ProjectKeys, range: EventRange, rest: Rest) => Promise<MeasuredEvents>;

export function createMeasureEvents(redis: Redis): MeasureEvents {
  const script = loadScript(redis, "measure-events", 1);
  return async (keys, { behind, newest, base, countMax, msMax }, rest) => {
    const size = createStepSize();
    let eventCount = 0;
    let oldest: StreamPlace | undefined;
    let start = rangeEnd(behind, newest);
    let stop = base && toStreamId(base);
    while (eventCount < countMax) {
      // How far back it may go is only known by the newest.
      const count = stop === undefined ? 1 : Math.min(size.count(), countMax - eventCount);
      const reply = await script([keys.events], [start, stop ?? "-", count]);
      const [met, last, bytes] = Array.isArray(reply) ? reply : [];
      if (typeof met !== "number") throw new Error("measure-events.lua gave an unknown reply");
      if (met === 0) break;
      oldest = parseStreamId(String(last));
      eventCount += met;
      start = `(${last}`;
      stop ??= `${Math.max(0, oldest.ms - msMax)}-0`;
      size.learn(met, bytes);
      await rest();
    }
    return { eventCount, oldest };
  };
}

/** The end of a range, as XRANGE takes it. */
export function rangeEnd(behind: StreamPlace | undefined, newest: StreamPlace): string {
  return behind === undefined ? toStreamId(newest) : `(${toStreamId(behind)}`;
}
