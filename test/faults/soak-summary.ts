import type { Report } from "./run-scenario.ts";

/** What a soak adds up to, by scenario. */
export interface SoakSummary {
  add(name: string, report: Report): void;
  print(): void;
}

/** An empty summary. */
export function createSoakSummary(): SoakSummary {
  const rows = new Map<string, Record<string, number>>();

  function addTo(name: string, counts: Record<string, number>): void {
    const row = rows.get(name) ?? {};
    for (const [key, count] of Object.entries(counts)) row[key] = (row[key] ?? 0) + count;
    rows.set(name, row);
  }

  return {
    add(name, { faults, calls, offered, listed, passes, answers, violations }) {
      const { accepted = 0, duplicate = 0, stored = 0, refused = 0, unknown = 0 } = answers;
      const told = { accepted, duplicate: duplicate + stored, refused, unknown };
      const counts = { runs: 1, faults, calls, offered, ...told, listed, passes, violations: violations.length };
      for (const row of [name, "all"]) addTo(row, counts);
    },
    print() {
      const { all, ...scenarios } = Object.fromEntries(rows);
      console.table({ ...scenarios, ...(all && { all }) });
    },
  };
}
