import type { ListedEvent, Violation } from "./checker.ts";
import type { RecordedHistory } from "./history.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { Stack } from "./stack.ts";

/** What a fault works with. */
export interface FaultDeps<S extends Stack> {
  readonly stack: S;
  readonly history: RecordedHistory;
  readonly random: SeededRandom;
  /** How many faults went before. */
  readonly turn: number;
}

/** One kind of harm, done again and again to a Sluice that is being written to. */
export interface Scenario<S extends Stack = Stack> {
  readonly name: string;
  /** Why it cannot run here; undefined when it can. */
  unmet?(): string | undefined;
  start(random: SeededRandom): Promise<S>;
  /** Time between one fault and the next. */
  readonly betweenMs: readonly [min: number, max: number];
  /** Does harm once, and ends it; resolves with whether it came to anything. */
  fault(deps: FaultDeps<S>): Promise<boolean>;
  /** Takes away what could still be in the way once the faults are over, and again after the restart. */
  heal?(stack: S): Promise<void>;
  /** Whether its faults end the server itself: then callers may get no answer. */
  readonly isServerKilled?: boolean;
  /** How many faults have to come to something before the scenario ends. */
  readonly faultsMin: number;
  /** How many events must be stored by calls that were under way before a fault and outlasted it. Default: none. */
  readonly resolvedMin?: number;
  /** What must have happened by then; an entry for each thing that has not. */
  missing?(deps: Pick<FaultDeps<S>, "stack" | "history">): string[];
  /** Whatever else has to hold in the end, beside what holds everywhere. */
  verify?(deps: { readonly stack: S; readonly listed: readonly ListedEvent[] }): Promise<Violation[]>;
}

/** A scenario with its kind of stack forgotten, so that all can be in one list. */
export type AnyScenario = Scenario<Stack>;

/** A scenario, to be in a list with others: each is only ever given the stack that it started itself. */
export function defineScenario<S extends Stack>(scenario: Scenario<S>): AnyScenario {
  return scenario;
}
