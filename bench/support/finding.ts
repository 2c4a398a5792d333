/** What a bench found, and what should be so. */
export interface Finding {
  readonly what: string;
  /** In words, with units. */
  readonly figures: string;
  /** To what is named beside it, when that is what counts. */
  readonly ratio?: number;
  readonly mustHold?: string;
  /** Whether that was so. A timing is a report, and no test: nothing fails by it. */
  readonly holds?: boolean;
}

/** Prints findings as a table, those that do not hold with a mark. */
export function printFindings(findings: readonly Finding[]): void {
  const rows = findings.map(({ what, figures, ratio, mustHold = "", holds = true }) => ({
    what,
    figures,
    ratio: ratio?.toFixed(2) ?? "",
    "must hold": mustHold,
    "": holds ? "" : "✗",
  }));
  console.table(rows);
}

/** A finding that must cost so many times the other at most. */
export function atMost(limit: number, ratio: number): Pick<Finding, "ratio" | "mustHold" | "holds"> {
  return { ratio, mustHold: `≤ ${limit}`, holds: ratio <= limit };
}

/** A finding that must cost the same as the other, within this factor. */
export function within(factor: number, ratio: number): Pick<Finding, "ratio" | "mustHold" | "holds"> {
  return { ratio, mustHold: `within ${factor}`, holds: Math.max(ratio, 1 / ratio) <= factor };
}
