/** The known name that takes the fewest changes to get from this one; undefined when none is known. */
export function nearestName(name: string, knownNames: readonly string[]): string | undefined {
  const byDistance = knownNames.map((known) => ({ known, distance: editDistance(name, known) }));
  return byDistance.sort((a, b) => a.distance - b.distance)[0]?.known;
}

/** How many characters have to be inserted, deleted or replaced to turn one text into the other. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = at(row, j - 1) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, at(row, j) + 1, at(next, j - 1) + 1));
    }
    row = next;
  }
  return at(row, to.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}
