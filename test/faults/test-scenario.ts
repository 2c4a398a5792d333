import { expect, it } from "vitest";
import { type Report, runScenario } from "./run-scenario.ts";
import type { AnyScenario } from "./scenario.ts";
import { drawSeed } from "./seeded-random.ts";

// What the environment says is a seed that failed, to be tried again.
const givenSeed = process.env.FAULT_SEED;

/** Runs a scenario as a test, for some seconds, with a seed of its own unless FAULT_SEED is one. */
export function testScenario(scenario: AnyScenario, durationMs = 3_000): void {
  const unmet = scenario.unmet?.();
  const name = `loses nothing and stores nothing twice through: ${scenario.name}`;
  it.skipIf(unmet !== undefined)(unmet === undefined ? name : `${name} (${unmet})`, { timeout: 90_000 }, async () => {
    const seed = givenSeed === undefined ? drawSeed() : Number(givenSeed);
    const report = await runScenario(scenario, { seed, durationMs });
    expect(report.violations.slice(0, 20), describe(report)).toEqual([]);
    expect(report.shortfalls, describe(report)).toEqual([]);
  });
}

function describe({ scenario, seed, violations, ...counts }: Report): string {
  const first = JSON.stringify(violations.slice(0, 3));
  return `${scenario}, FAULT_SEED=${seed}: ${violations.length} violations, ${first}; ${JSON.stringify(counts)}`;
}
