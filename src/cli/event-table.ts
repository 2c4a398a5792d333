import type { Event } from "../../gen/sluice/v1/event_pb.ts";
import type { WidthBounds } from "./column-widths.ts";
import { chooseWidths, gapWidth } from "./column-widths.ts";
import { fitTo, widthOf } from "./display-width.ts";
import type { Column } from "./event-columns.ts";
import { createEventColumns, haveOwnTimes, idColumn, timeColumn } from "./event-columns.ts";
import { toPrintable } from "./printable.ts";

/** Writes events as the rows of a table, some at a time. */
export interface EventTable {
  /** A row for each, a line each, the first ones below a header. */
  format(events: readonly Event[]): string;
}

export interface EventTableOptions {
  /** Whether the first events are too few to tell how wide the columns need be. Default: false. */
  readonly isLive?: boolean;
  /** The properties that are filtered by: shown first, and before other columns. Default: none. */
  readonly filtered?: readonly string[];
}

/**
 * The first events set which columns there are, and how wide. On a terminal, of so many columns, longer cells are cut and
 * columns left out until the table is no wider than it; elsewhere all is there. No id is cut: for one that is longer than
 * those before, the columns are chosen anew, below another header, and where it is as wide as the terminal, it is alone.
 * No cell holds a control character.
 */
export function createEventTable(
  terminalWidth: number | undefined,
  { isLive = false, filtered = [] }: EventTableOptions = {},
): EventTable {
  const isCut = terminalWidth !== undefined;
  const { fromLeft, byWorth } = createEventColumns(filtered);
  let widths: ReadonlyMap<Column, number> | undefined;
  let idWidth = 0;

  function choose(events: readonly Event[]): ReadonlyMap<Column, number> {
    const columns = isCut && !haveOwnTimes(events) ? byWorth.filter((column) => column !== timeColumn) : byWorth;
    const bounds = columns.map((column) => [column, boundsOf(column, events, isLive)] as const);
    return chooseWidths(bounds, terminalWidth ?? Number.POSITIVE_INFINITY);
  }

  function formatHeader(): string {
    return formatRow(({ title }, width) => fitTo(title, width));
  }

  function formatEvent(event: Event): string {
    return formatRow((column, width) => {
      const text = textOf(column, event);
      if (widthOf(text) <= width) return fitTo(text, width);
      return isCut ? cut(text, gistOf(column, event), width) : text;
    });
  }

  function formatRow(toCell: (column: Column, width: number) => string): string {
    const shown = fromLeft.flatMap((column) => {
      const width = widths?.get(column);
      return width === undefined ? [] : [{ column, width }];
    });
    const taken = shown.reduce((sum, { width }) => sum + width + gapWidth, -gapWidth);
    // The last one has what the others leave.
    const rest = Math.max(0, (terminalWidth ?? 0) - taken);
    const cells = shown.map(({ column, width }, i) => toCell(column, i === shown.length - 1 ? width + rest : width));
    return `${cells.join(" ".repeat(gapWidth)).trimEnd()}\n`;
  }

  return {
    format(events) {
      const rows: string[] = [];
      const newIdWidth = boundsOf(idColumn, events, isLive).full;
      if (widths === undefined || (isCut && newIdWidth > idWidth)) {
        widths = choose(events);
        idWidth = newIdWidth;
        rows.push(formatHeader());
      }
      for (const event of events) rows.push(formatEvent(event));
      return rows.join("");
    },
  };
}

function boundsOf(column: Column, events: readonly Event[], isLive: boolean): WidthBounds {
  const { title, widthMin, widthLive } = column;
  const widest = (texts: readonly string[]) => Math.max(...[title, ...texts].map(widthOf));
  const full = Math.max(isLive ? widthLive : (widthMin ?? 0), widest(events.map((event) => textOf(column, event))));
  if (widthMin !== undefined) return { least: widthMin, short: full, full };
  const short = column.gist === undefined ? full : widest(events.map((event) => gistOf(column, event)));
  return { least: short, short, full };
}

function textOf(column: Column, event: Event): string {
  return toPrintable(column.cell(event));
}

function gistOf(column: Column, event: Event): string {
  return toPrintable((column.gist ?? column.cell)(event));
}

/** A text that is too long: as much of it as there is room for, unless that cuts into its gist. */
function cut(text: string, gist: string, width: number): string {
  const begin = fitTo(text, width);
  return begin.startsWith(`${gist} `) ? begin : fitTo(gist, width);
}
