import type { JsonValue } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Event } from "../../gen/sluice/v1/event_pb.ts";
import { fitTo, widthOf } from "./display-width.ts";
import { toPrintable } from "./printable.ts";

/** Writes events as the rows of a table, some at a time. */
export interface EventTable {
  /** A row for each, a line each, the first ones below a header. */
  format(events: readonly Event[]): string;
}

export interface EventTableOptions {
  /** Whether the first events are too few to tell how wide the columns need be. Default: false. */
  readonly isLive?: boolean;
}

interface Column {
  readonly title: string;
  cell(event: Event): string;
  readonly widthMin: number;
  /** As wide as it usually needs to be. */
  readonly widthLive: number;
}

const columns: readonly Column[] = [
  { title: "TIME", cell: (event) => formatTime(event.time), widthMin: 20, widthLive: 24 },
  { title: "NAME", cell: (event) => event.name, widthMin: 8, widthLive: 16 },
  { title: "IDENTITIES", cell: (event) => formatPairs(event.identities), widthMin: 10, widthLive: 24 },
  { title: "VALUE", cell: (event) => event.value?.toString() ?? "", widthMin: 5, widthLive: 8 },
  { title: "ID", cell: (event) => event.id, widthMin: 8, widthLive: 36 },
];

/** The last column: it has what the others leave, and is left out where that is too little to say anything. */
const properties = { title: "PROPERTIES", cell: (event: Event) => formatPairs(event.properties ?? {}), widthMin: 20 };

const gap = "  ";

/**
 * The first events set how wide the columns are. On a terminal, of so many columns, longer cells are cut, the table being
 * no wider than it; elsewhere nothing is cut. No cell holds a control character.
 */
export function createEventTable(
  terminalWidth: number | undefined,
  { isLive = false }: EventTableOptions = {},
): EventTable {
  let widths: readonly number[] | undefined;

  function formatRow(cells: readonly string[], widths: readonly number[]): string {
    const fitted = widths.map((width, i) => fitCell(cells[i] ?? "", width));
    return `${fitted.join(gap).trimEnd()}\n`;
  }

  function fitCell(cell: string, width: number): string {
    return terminalWidth === undefined && widthOf(cell) > width ? cell : fitTo(cell, width);
  }

  return {
    format(events) {
      const rows = events.map((event) => [...columns, properties].map(({ cell }) => toPrintable(cell(event))));
      if (widths === undefined) {
        rows.unshift([...columns, properties].map(({ title }) => title));
        widths = chooseWidths(rows, terminalWidth ?? Number.POSITIVE_INFINITY, isLive);
      }
      const chosen = widths;
      return rows.map((cells) => formatRow(cells, chosen)).join("");
    },
  };
}

/** Of the columns that there is room for. */
function chooseWidths(rows: readonly (readonly string[])[], widthMax: number, isLive: boolean): number[] {
  const widths = columns.map(({ widthMin, widthLive }, i) =>
    Math.max(isLive ? widthLive : widthMin, ...rows.map((row) => widthOf(row[i] ?? ""))),
  );
  narrow(widths, widthMax);
  const room = widthMax - totalOf(widths) - gap.length;
  if (room === Number.POSITIVE_INFINITY) return [...widths, 0];
  return room < properties.widthMin ? widths : [...widths, room];
}

/** Where that is too much in all, the widest columns give way first. */
function narrow(widths: number[], widthMax: number): void {
  while (totalOf(widths) > widthMax) {
    const spare = widths.map((width, i) => (width > (columns[i]?.widthMin ?? 0) ? width : 0));
    const widest = spare.indexOf(Math.max(...spare));
    if (!spare[widest]) return;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
}

function totalOf(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width, 0) + gap.length * (widths.length - 1);
}

function formatTime(time: Timestamp | undefined): string {
  return time === undefined ? "" : timestampDate(time).toISOString().replace(".000Z", "Z");
}

function formatPairs(pairs: Readonly<Record<string, JsonValue>>): string {
  const toText = (value: JsonValue) => (typeof value === "string" ? value : JSON.stringify(value));
  return Object.entries(pairs)
    .map(([key, value]) => `${key}=${toText(value)}`)
    .join(" ");
}
