import type { Comparison, Figures } from "./compare.ts";
import { type MeasuredRow, type Row, reachOf, toAimText, toFigureText } from "./row.ts";

const columns = [
  "work",
  "against",
  "ours",
  "baseline",
  "figure",
  "aim",
  "",
  "server CPU µs",
  "Redis CPU µs",
  "client CPU µs",
  "p50 ms",
  "p99 ms",
] as const;

/** The results as lines of a table, by column. What was measured on both sides is written as ours / baseline. */
export function toCells(row: Row): Record<(typeof columns)[number], string> {
  const empty = { ours: "", baseline: "", figure: "", aim: "", "": "", ...toPairs(undefined) };
  if ("skipped" in row) return { work: row.work, against: row.against, ...empty, ours: `skipped: ${row.skipped}` };
  const { work, against, ours, baseline, figure, aim, figures } = row;
  return {
    work,
    against,
    ours,
    baseline,
    figure: toFigureText(figure, aim),
    aim: toAimText(aim),
    "": isReached(row) ? "✓" : "✗",
    ...toPairs(figures),
  };
}

/** The results as a table of Markdown. */
export function toMarkdownTable(rows: readonly Row[]): string {
  const toLine = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const lines = rows.map((row) => {
    const cells = toCells(row);
    return toLine(columns.map((column) => cells[column]));
  });
  return [toLine(columns), toLine(columns.map(() => "---")), ...lines].join("\n");
}

/** Whether a line has reached its aim. */
function isReached(row: MeasuredRow): boolean {
  return reachOf(row) >= 1;
}

function toPairs(figures: Pick<Comparison, "ours" | "baseline"> | undefined) {
  const pair = (figure: keyof Figures, digits: number) =>
    [figures?.ours[figure], figures?.baseline[figure]]
      .map((value = Number.NaN) => (Number.isNaN(value) ? "–" : value.toFixed(digits)))
      .join(" / ")
      .replace(/^– \/ –$/, "");
  return {
    "server CPU µs": pair("serverUs", 1),
    "Redis CPU µs": pair("redisUs", 1),
    "client CPU µs": pair("clientUs", 1),
    "p50 ms": pair("p50Ms", 2),
    "p99 ms": pair("p99Ms", 2),
  };
}
