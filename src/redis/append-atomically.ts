import { SluiceError } from "../domain/errors.ts";
import type { Appended, AppendResult, EventLog, EventToAppend } from "../domain/ports.ts";
import { isSameEvent } from "../domain/same-event.ts";

/**
 * Appends all of the events or none, in one script call, and says which event stopped it. `append` does so for events
 * with different ids; it may take an event that is stored already for a conflict until the two have been compared.
 */
export function createAppendAtomically(append: EventLog["append"]): EventLog["append"] {
  return async (project, entrance, events, options) => {
    const copies = findCopies(events);
    const results: (AppendResult | undefined)[] = events.map((event, i) =>
      copies[i] === undefined || isSameEvent(event.bytes, copies[i].event.bytes) ? undefined : { kind: "conflict" },
    );
    if (results.some((result) => result !== undefined)) return { results: results.map(orWithheld), quotas: [] };

    // What is stored already stops nothing, and is left out of the next attempt.
    let quotas: Appended["quotas"] = [];
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const open = events.flatMap((event, i) =>
        results[i] === undefined && copies[i] === undefined ? [{ event, i }] : [],
      );
      if (open.length === 0) break;
      const toAppend = open.map(({ event }) => event);
      const appended = await append(project, entrance, toAppend, options);
      quotas = appended.quotas;
      const isHeldUp = appended.results.some(({ kind }) => kind === "withheld");
      const isStopped = appended.results.some(({ kind }) => !["accepted", "duplicate", "withheld"].includes(kind));
      for (const [n, { i }] of open.entries()) {
        const result = appended.results[n];
        if (isStopped || !isHeldUp || result?.kind === "duplicate") results[i] = result;
      }
      if (isStopped || !isHeldUp) break;
    }
    return { results: results.map((result, i) => result ?? ofOriginal(results, copies[i])).map(orUnresolved), quotas };
  };
}

/** Only a race with others who store the same ids can need more than two. */
const attemptsMax = 5;

interface Copy {
  readonly event: EventToAppend;
  readonly index: number;
}

/** For each event, the one before it with the same id. */
function findCopies(events: readonly EventToAppend[]): (Copy | undefined)[] {
  const firsts = new Map<string, Copy>();
  return events.map((event, index) => {
    const first = firsts.get(event.id);
    if (first === undefined) firsts.set(event.id, { event, index });
    return first;
  });
}

/** The second copy of an event is a duplicate of the first, if that is stored. */
function ofOriginal(results: readonly (AppendResult | undefined)[], copy: Copy | undefined): AppendResult | undefined {
  const original = copy === undefined ? undefined : results[copy.index];
  return original?.kind === "accepted" ? { kind: "duplicate", position: original.position } : original;
}

function orWithheld(result: AppendResult | undefined): AppendResult {
  return result ?? { kind: "withheld" };
}

function orUnresolved(result: AppendResult | undefined): AppendResult {
  const text = "others kept storing events with the same ids";
  return result ?? { kind: "failed", error: new SluiceError("STORAGE_UNAVAILABLE", text) };
}
