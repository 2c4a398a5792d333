import type { Position } from "../../src/domain/cursor.ts";
import { isBefore, parseCursor } from "../../src/domain/cursor.ts";
import type { EventFilter } from "../../src/domain/event-filter.ts";
import type { ReadRange, StoredEvent } from "../../src/domain/ports.ts";
import { matchesDecoded } from "./arbitrary-filters.ts";
import type { EventInit } from "./events.ts";
import { encodeEvent } from "./events.ts";

/** An event of the model. */
export interface ModelEvent extends StoredEvent {
  readonly id: string;
  readonly cursor: string;
}

/** What a project holds, by the plainest means: a list, in which each event is decoded that is looked at. */
export class ReadModel {
  readonly #events: ModelEvent[] = [];
  readonly #gone: ModelEvent[] = [];
  /** Up to which there is nothing any more. */
  #trimmed: Position | undefined;

  /** All that is kept, the oldest first. */
  get events(): readonly ModelEvent[] {
    return this.#events;
  }

  /** What was removed. */
  get gone(): readonly ModelEvent[] {
    return this.#gone;
  }

  /** Adds an event that was told to be at this cursor, behind all others. */
  add(id: string, init: EventInit, cursor: string): void {
    const position = parseCursor(cursor);
    const last = (this.#events.at(-1) ?? this.#gone.at(-1))?.position;
    if (position === undefined || (last !== undefined && !isBefore(last, position))) {
      throw new Error(`${cursor} is not behind all others`);
    }
    const bytes = encodeEvent({ ...init, id });
    this.#events.push({
      id,
      cursor,
      position,
      bytes,
      entrance: "grpc",
      assignedId: undefined,
      isTimeAbsent: true,
      isTest: init.test ?? false,
    });
  }

  /** Removes the oldest events, so many of those that are due: stored before this time. */
  trim(count: number, dueBeforeMs: number): void {
    const removed = this.#events.splice(0, count);
    const last = removed.at(-1)?.position;
    if (last === undefined) return;
    this.#gone.push(...removed);
    const [oldest] = this.#events;
    const isMoreDue = oldest !== undefined && oldest.position.ms < dueBeforeMs;
    // Whoever has read the last that went misses nothing, but only where no more is due is it known which one that was.
    this.#trimmed = isMoreDue ? { ...oldest.position, seq: oldest.position.seq - 1 } : last;
  }

  /** Whether what is behind a position, in either order, may be gone: it is before what is kept. */
  isExpired(position: Position): boolean {
    return this.#trimmed !== undefined && isBefore(position, this.#trimmed);
  }

  /** What matches behind a position, in an order. */
  find(filter: EventFilter, order: ReadRange["order"], after?: Position): ModelEvent[] {
    const isBehind = (event: ModelEvent) => {
      if (after === undefined) return true;
      return order === "oldest-first" ? isBefore(after, event.position) : isBefore(event.position, after);
    };
    const found = this.#events.filter((event) => isBehind(event) && matchesDecoded(filter, event));
    return order === "oldest-first" ? found : found.reverse();
  }
}
