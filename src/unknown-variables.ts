/** A line for each `SLUICE_…` variable that is none of the known names, with the nearest of those. Never its value. */
export function warnOfUnknownVariables(env: NodeJS.ProcessEnv, knownNames: readonly string[]): string[] {
  return Object.keys(env)
    .filter((name) => name.startsWith("SLUICE_") && !knownNames.includes(name))
    .sort()
    .map(
      (name) => `${name} is not a variable of Sluice and has no effect; the nearest is ${nearest(name, knownNames)}`,
    );
}

function nearest(name: string, knownNames: readonly string[]): string | undefined {
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
