import type { Event } from "../../gen/sluice/v1/event_pb.ts";
import { Order } from "../../gen/sluice/v1/event_service_pb.ts";
import type { Violation } from "./checker.ts";
import type { EventClients } from "./event-clients.ts";
import { listPages } from "./readers.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { createSieves } from "./sieves.ts";

/** What was found by a filter, and what should have been, as cursors from the oldest event on. */
export interface Found {
  readonly sieve: string;
  readonly expected: readonly string[];
  readonly found: readonly string[];
}

/** Pages through what each sieve lets through, in either order and over any protocol. */
export async function sift(
  events: readonly Event[],
  { clients, random }: { readonly clients: EventClients; readonly random: SeededRandom },
): Promise<Found[]> {
  const findings: Found[] = [];
  for (const { name, filter, lets } of createSieves(events, random)) {
    const client = clients[random.pick(["grpc", "connect", "connectHttp1"] as const)];
    const order = random.pick([Order.OLDEST_FIRST, Order.NEWEST_FIRST]);
    const pages = await listPages(client, { filter, order, pageSize: random.between(50, 1000) });
    const found = pages.map(({ cursor }) => cursor);
    findings.push({
      sieve: name,
      expected: events.filter(lets).map(({ cursor }) => cursor),
      found: order === Order.OLDEST_FIRST ? found : found.reverse(),
    });
  }
  return findings;
}

/** A filter finds what matches it: each event once, in order, and none other. */
export function checkFound({ sieve, expected, found }: Found): Violation[] {
  const [wanted, there] = [new Set(expected), new Set(found)];
  const missed = expected.filter((cursor) => !there.has(cursor));
  const astray = found.filter((cursor) => !wanted.has(cursor));
  const violations: Violation[] = [];
  if (missed.length > 0) violations.push(violation("not found", missed, expected));
  if (astray.length > 0) violations.push(violation("found astray", astray, found));
  if (there.size < found.length) violations.push({ kind: "page overlap", subject: `by ${sieve}` });
  else if (violations.length === 0 && found.some((cursor, i) => cursor !== expected[i])) {
    violations.push({ kind: "reordered", subject: `by ${sieve}` });
  }
  return violations;

  function violation(kind: Violation["kind"], some: readonly string[], all: readonly string[]): Violation {
    return { kind, subject: `by ${sieve}: ${some.length} of ${all.length} events, the first at ${some[0]}` };
  }
}
