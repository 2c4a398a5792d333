import type { OfferedEvent } from "./event.ts";
import type { EventOutcome } from "./outcome.ts";
import type { Clock, RejectedEvent, RejectedEvents } from "./ports.ts";
import type { Caller } from "./project.ts";
import { toRejectedPayload } from "./rejected-payload.ts";

/** Told of a call's events and of what became of them, keeps those that were rejected. Never throws, nor waits. */
export type RecordRejected = (
  caller: Caller,
  offered: readonly OfferedEvent[],
  outcomes: readonly EventOutcome[],
) => void;

export interface RejectedRecorderDeps {
  readonly rejectedEvents: Pick<RejectedEvents, "keep">;
  readonly clock: Clock;
  /** Aborted when the server shuts down: what was only counted is then handed on at once. */
  readonly shutdown: AbortSignal;
}

/** How many rejected events of a project one server keeps in a second. */
const keptPerSecond = 50;

/** Of how many projects the current second is remembered; beyond that all begin anew. */
const projectsMax = 10_000;

/** One second of a project. */
interface Second {
  readonly number: number;
  keptCount: number;
  omittedCount: number;
}

/**
 * Keeps 50 rejected events of a project in a second of the clock, and counts the others: only those that are kept cost
 * more than that. A count is handed on a second after its first event, so a flood of them is one write a second.
 */
export function createRejectedRecorder({ rejectedEvents, clock, shutdown }: RejectedRecorderDeps): RecordRejected {
  const seconds = new Map<string, Second>();

  function secondOf(project: string, nowMs: number): Second {
    const number = Math.floor(nowMs / 1000);
    const known = seconds.get(project);
    if (known?.number === number) return known;
    if (seconds.size >= projectsMax) seconds.clear();
    const second: Second = { number, keptCount: 0, omittedCount: 0 };
    seconds.set(project, second);
    return second;
  }

  async function handOnCount(project: Caller["project"], second: Second): Promise<void> {
    await clock.wait(1000, shutdown);
    const { omittedCount } = second;
    second.omittedCount = 0;
    rejectedEvents.keep(project, [], omittedCount);
  }

  return (caller, offered, outcomes) => {
    const nowMs = clock.nowMs();
    const second = secondOf(caller.project.name, nowMs);
    const kept: RejectedEvent[] = [];
    for (const [i, outcome] of outcomes.entries()) {
      const event = offered[i];
      if (outcome.kind !== "rejected" || event === undefined) continue;
      if (second.keptCount === keptPerSecond) {
        if (second.omittedCount++ === 0) void handOnCount(caller.project, second);
        continue;
      }
      second.keptCount++;
      const { id, reason, violation } = outcome;
      const { environment, payload } = toRejectedPayload(event);
      kept.push({
        rejectedAtMs: nowMs,
        entrance: caller.entrance,
        id,
        environments: environmentsOf(caller, environment),
        reason,
        violation,
        payload,
      });
    }
    if (kept.length > 0) rejectedEvents.keep(caller.project, kept, 0);
  };
}

/** To an environment that its key may not use, an event never belonged. */
function environmentsOf({ environments }: Caller, named: string): readonly string[] {
  if (environments.length === 0) return named === "" ? [] : [named];
  return environments.includes(named) ? [named] : environments;
}
