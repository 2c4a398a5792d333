import { nearestName } from "./nearest-name.ts";

/** A line for each `SLUICE_…` variable that is none of the known names, with the nearest of those. Never its value. */
export function warnOfUnknownVariables(env: NodeJS.ProcessEnv, knownNames: readonly string[]): string[] {
  return Object.keys(env)
    .filter((name) => name.startsWith("SLUICE_") && !knownNames.includes(name))
    .sort()
    .map((name) => {
      const nearest = nearestName(name, knownNames);
      return `${name} is not a variable of Sluice and has no effect; the nearest is ${nearest}`;
    });
}
