import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { readRedisVersion } from "./redis-server.ts";
import { toPlot } from "./results-plot.ts";
import { toCells, toMarkdownTable } from "./results-table.ts";
import type { Row } from "./row.ts";

/** What a bench leaves behind. */
export interface Results {
  /** Of the files, without an ending. */
  readonly name: string;
  readonly title: string;
  /** Says what else has to be known, in Markdown. */
  readonly notes: readonly string[];
  readonly rows: readonly Row[];
}

/** Prints the results. */
export function printResults({ title, rows }: Results): void {
  console.log(title);
  for (const row of rows) {
    const { work, against, ...cells } = toCells(row);
    const rest = Object.entries(cells).filter(([, cell]) => cell !== "");
    console.log(`${cells[""] || "·"} ${work}, to ${against}`);
    console.log(
      `    ${rest
        .map(([column, cell]) => (column === "" ? "" : `${column} ${cell}`))
        .filter(Boolean)
        .join(" · ")}`,
    );
  }
}

/** Writes the results into a folder, as Markdown and as a plot. */
export async function writeResults(folder: string, results: Results): Promise<void> {
  const { name, title, notes, rows } = results;
  const about = `${new Date().toISOString().slice(0, 10)}, ${await describeMachine()}.`;
  const text = [`# ${title}`, about, ...notes, `![a bar for each line](${name}.svg)`, toMarkdownTable(rows)];
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.md`), `${text.join("\n\n")}\n`);
  writeFileSync(join(folder, `${name}.svg`), toPlot(title, rows));
}

async function describeMachine(): Promise<string> {
  const [cpu] = cpus();
  return `${cpus().length} × ${cpu?.model.trim()}, Node ${process.versions.node}, Redis ${await readRedisVersion()}`;
}
