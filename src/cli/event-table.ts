import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Event } from "../../gen/sluice/v1/event_pb.ts";
import { fitTo, widthOf } from "./display-width.ts";
import { toPrintable } from "./printable.ts";

/** Writes events as the rows of a table, a page at a time. */
export interface EventTable {
  /** The page's rows, a line each, the first page's below a header. */
  format(events: readonly Event[]): string;
}

const columns = [
  { title: "TIME", cell: (event: Event) => formatTime(event.time), widthMin: 20 },
  { title: "NAME", cell: (event: Event) => event.name, widthMin: 8 },
  { title: "IDENTITIES", cell: (event: Event) => formatIdentities(event.identities), widthMin: 10 },
  { title: "VALUE", cell: (event: Event) => event.value?.toString() ?? "", widthMin: 5 },
  { title: "ID", cell: (event: Event) => event.id, widthMin: 8 },
] as const;

const gap = "  ";

/**
 * The first page sets how wide the columns are. On a terminal, of so many columns, longer cells are cut, the table being
 * no wider than it; elsewhere nothing is cut. No cell holds a control character.
 */
export function createEventTable(terminalWidth: number | undefined): EventTable {
  let widths: readonly number[] | undefined;

  function formatRow(cells: readonly string[]): string {
    const fitted = cells.map((cell, i) => fitCell(cell, widths?.[i] ?? 0));
    return `${fitted.join(gap).trimEnd()}\n`;
  }

  function fitCell(cell: string, width: number): string {
    return terminalWidth === undefined && widthOf(cell) > width ? cell : fitTo(cell, width);
  }

  return {
    format(events) {
      const rows = events.map((event) => columns.map(({ cell }) => toPrintable(cell(event))));
      if (widths !== undefined) return rows.map(formatRow).join("");
      const titles = columns.map(({ title }) => title);
      widths = chooseWidths([titles, ...rows], terminalWidth ?? Number.POSITIVE_INFINITY);
      return [titles, ...rows].map(formatRow).join("");
    },
  };
}

/** As wide as the widest cell; where that is too much in all, the widest columns give way first. */
function chooseWidths(rows: readonly (readonly string[])[], widthMax: number): number[] {
  const widths = columns.map(({ widthMin }, i) => Math.max(widthMin, ...rows.map((row) => widthOf(row[i] ?? ""))));
  const roomFor = () => widthMax - gap.length * (columns.length - 1) - widths.reduce((sum, width) => sum + width, 0);
  while (roomFor() < 0) {
    const spare = widths.map((width, i) => width - (columns[i]?.widthMin ?? 0));
    const widest = widths.reduce(
      (best, width, i) => (spare[i] && width > (widths[best] ?? 0) ? i : best),
      firstSpare(spare),
    );
    if (!spare[widest]) return widths;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

function firstSpare(spare: readonly number[]): number {
  return Math.max(
    0,
    spare.findIndex((columnsLeft) => columnsLeft > 0),
  );
}

function formatTime(time: Timestamp | undefined): string {
  return time === undefined ? "" : timestampDate(time).toISOString().replace(".000Z", "Z");
}

function formatIdentities(identities: Event["identities"]): string {
  const pairs = Object.entries(identities).map(([kind, id]) => `${kind}=${id}`);
  return pairs.join(" ");
}
