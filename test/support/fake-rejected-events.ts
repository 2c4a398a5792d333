import { isBefore } from "../../src/domain/cursor.ts";
import type { RejectedEvent, RejectedEvents } from "../../src/domain/ports.ts";
import type { Project } from "../../src/domain/project.ts";

/** One call of `keep`. */
export interface KeepCall {
  readonly project: Project;
  readonly events: readonly RejectedEvent[];
  readonly omittedCount: number;
}

/** Rejected events in memory, for tests of what is built on them. */
export interface FakeRejectedEvents extends RejectedEvents {
  /** Every call of `keep` since the beginning. */
  readonly keeps: readonly KeepCall[];
}

/** Options of a fake. */
export interface FakeRejectedOptions {
  /** How many one read returns at most. Default 200. */
  readonly readMax?: number;
}

export function createFakeRejectedEvents({ readMax = 200 }: FakeRejectedOptions = {}): FakeRejectedEvents {
  const keeps: KeepCall[] = [];
  return {
    keeps,
    keep: (project, events, omittedCount) => void keeps.push({ project, events, omittedCount }),
    async read({ name }, { after, countMax }) {
      const own = keeps.filter((call) => call.project.name === name);
      const all = own
        .flatMap(({ events }) => events)
        .map((event, i) => ({ ...event, position: { epoch: "fake-epoch-1", ms: 1_700_000_000_000, seq: i } }))
        .reverse();
      const rest = all.filter(({ position }) => after === undefined || isBefore(position, after));
      const count = Math.min(countMax, readMax);
      const omittedCount = own.reduce((sum, call) => sum + call.omittedCount, 0);
      return { events: rest.slice(0, count), isEnd: rest.length < count, omittedCount };
    },
  };
}
