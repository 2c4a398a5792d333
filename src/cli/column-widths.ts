/** How wide a column of a table may be. */
export interface WidthBounds {
  /** Narrower, the column is not shown. */
  readonly least: number;
  /** As wide as it need be where there is no room for all columns in full. */
  readonly short: number;
  readonly full: number;
}

/** Columns of a terminal between two of a table. */
export const gapWidth = 2;

/**
 * How wide columns are that are to fit into a width, those left out for which there is no room. The first is shown
 * whatever it takes, each of the others if it fits as well. What is too much then, the widest give way by.
 */
export function chooseWidths<T>(byWorth: readonly (readonly [T, WidthBounds])[], widthMax: number): Map<T, number> {
  let leastWidth = -gapWidth;
  const shown = byWorth.filter(([, { least }], i) => {
    const isShown = i === 0 || leastWidth + gapWidth + least <= widthMax;
    if (isShown) leastWidth += gapWidth + least;
    return isShown;
  });
  const inFull = new Map(shown.map(([column, { full }]) => [column, full]));
  return totalOf(inFull) <= widthMax ? inFull : narrow(shown, widthMax);
}

function narrow<T>(columns: readonly (readonly [T, WidthBounds])[], widthMax: number): Map<T, number> {
  const widths = new Map(columns.map(([column, { short }]) => [column, short]));
  const widthOf = (column: T) => widths.get(column) ?? 0;
  for (let excess = totalOf(widths) - widthMax; excess > 0; excess--) {
    const spare = columns.filter(([column, { least }]) => widthOf(column) > least).map(([column]) => column);
    const [widest] = spare.sort((a, b) => widthOf(b) - widthOf(a));
    if (widest === undefined) break;
    widths.set(widest, widthOf(widest) - 1);
  }
  return widths;
}

function totalOf(widths: ReadonlyMap<unknown, number>): number {
  return Array.from(widths.values()).reduce((sum, width) => sum + gapWidth + width, -gapWidth);
}
