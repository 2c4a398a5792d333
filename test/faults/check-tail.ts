import type { ListedEvent, Violation } from "./checker.ts";
import type { GivenEvent, Tail } from "./tail.ts";

/** What a tail gave is what is there: each event once, in order, as it was sent, and none other. */
export function checkTail(given: readonly GivenEvent[], listed: readonly ListedEvent[]): Violation[] {
  const violations: Violation[] = [];
  const missing = new Map(listed.map((event, place) => [event.cursor, { ...event, place }] as const));
  const seen = new Set<string>();
  let lastPlace = -1;
  for (const { cursor, digest } of given) {
    const event = missing.get(cursor);
    missing.delete(cursor);
    if (event === undefined) {
      violations.push({ kind: seen.has(cursor) ? "tail overlap" : "tail astray", subject: cursor });
      continue;
    }
    seen.add(cursor);
    if (event.digest !== digest) violations.push({ kind: "altered", subject: `${event.mark}, by the tail` });
    if (event.place < lastPlace) violations.push({ kind: "reordered", subject: `${event.mark}, by the tail` });
    lastPlace = event.place;
  }
  for (const { mark } of missing.values()) violations.push({ kind: "tail gap", subject: mark });
  return violations;
}

/** No fault below the server cuts a tail, which waits; only the end of the server itself does. */
export function checkCuts({ cuts }: Pick<Tail, "cuts">, soundCuts: readonly string[]): Violation[] {
  const unsound = new Set(cuts.filter((reason) => !soundCuts.includes(reason)));
  return [...unsound].map((reason) => ({ kind: "tail cut", subject: reason }));
}
