import type { JsonValue } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { timestampDate, timestampMs } from "@bufbuild/protobuf/wkt";
import type { Event } from "../../gen/sluice/v1/event_pb.ts";

/** A column of the table of events. */
export interface Column {
  readonly title: string;
  cell(event: Event): string;
  /** Narrower than this it says too little to be shown. Absent: no cell of it may be cut. */
  readonly widthMin?: number;
  /** As wide as it usually needs to be. */
  readonly widthLive: number;
  /** What of the cell is to be read where there is no room for all of it. */
  gist?(event: Event): string;
}

const received: Column = {
  title: "RECEIVED",
  cell: (event) => formatTime(event.receiveTime),
  widthLive: 24,
  gist: (event) => toSeconds(formatTime(event.receiveTime)),
};

/** When the event happened, as its sender says. */
export const timeColumn: Column = {
  title: "TIME",
  cell: (event) => formatTime(event.time),
  widthLive: 24,
  gist: (event) => toSeconds(formatTime(event.time)),
};

const name: Column = { title: "NAME", cell: (event) => event.name, widthMin: 8, widthLive: 16 };

const identities: Column = {
  title: "IDENTITIES",
  cell: (event) => formatPairs(Object.entries(event.identities)),
  widthMin: 10,
  widthLive: 24,
};

const value: Column = { title: "VALUE", cell: (event) => event.value?.toString() ?? "", widthMin: 5, widthLive: 8 };

/** Never cut, so that it can be given to `sluice get`. */
export const idColumn: Column = { title: "ID", cell: (event) => event.id, widthLive: 36 };

/** The columns of events, from left to right and by what they are worth where there is no room for all. */
export interface EventColumns {
  readonly fromLeft: readonly Column[];
  readonly byWorth: readonly Column[];
}

/** `filtered`: the properties that are filtered by, which come first. */
export function createEventColumns(filtered: readonly string[]): EventColumns {
  const isFiltered = filtered.length > 0;
  const isFirst = ([key]: Pair) => filtered.includes(key);
  const pairsOf = ({ properties }: Event) => Object.entries(properties ?? {});
  const firstOf = (event: Event) => pairsOf(event).filter(isFirst);
  const properties: Column = {
    title: "PROPERTIES",
    cell: (event) => formatPairs([...firstOf(event), ...pairsOf(event).filter((pair) => !isFirst(pair))]),
    widthMin: isFiltered ? 10 : 20,
    widthLive: 20,
    ...(isFiltered && { gist: (event: Event) => formatPairs(firstOf(event)) }),
  };
  return {
    fromLeft: [received, timeColumn, name, identities, value, idColumn, properties],
    byWorth: isFiltered
      ? [idColumn, received, name, properties, identities, timeColumn, value]
      : [idColumn, received, name, identities, timeColumn, value, properties],
  };
}

/** Whether events have times of their own, rather than those of when they were received. */
export function haveOwnTimes(events: readonly Event[]): boolean {
  return events.some(({ time, receiveTime }) => {
    return (
      time !== undefined && receiveTime !== undefined && Math.abs(timestampMs(time) - timestampMs(receiveTime)) > 1000
    );
  });
}

function formatTime(time: Timestamp | undefined): string {
  return time === undefined ? "" : timestampDate(time).toISOString().replace(".000Z", "Z");
}

function toSeconds(time: string): string {
  return time.replace(/\.\d+Z$/, "Z");
}

type Pair = readonly [key: string, value: JsonValue];

function formatPairs(pairs: readonly Pair[]): string {
  const toText = (value: JsonValue) => (typeof value === "string" ? value : JSON.stringify(value));
  return pairs.map(([key, value]) => `${key}=${toText(value)}`).join(" ");
}
