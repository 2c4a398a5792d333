const units = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
] as const;

/** A day reads better as the hours that a limit is configured in. */
const daysFrom = 2;

/**
 * Whole milliseconds as a person writes them: in the largest unit that divides them, such as `1m`, `90s` or `24h`. Days
 * from two on.
 */
export function toDurationText(ms: number): string {
  for (const [unit, unitMs] of units) {
    const count = ms / unitMs;
    if (Number.isInteger(count) && count >= (unit === "d" ? daysFrom : 1)) return `${count}${unit}`;
  }
  return `${ms}ms`;
}
