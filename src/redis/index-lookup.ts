import type { EventFilter } from "../domain/event-filter.ts";
import { planIndexes } from "./index-plan.ts";
import { bucketOf, fingerprintOf } from "./index-record.ts";
import { identityTerm, nameTerm, propertyTerms } from "./index-terms.ts";

/** What to look for in one index: the events that a filter may let through have one of these terms. */
export interface IndexLookup {
  readonly indexId: string;
  /** The fingerprints to look for, by bucket. */
  readonly fingerprints: ReadonlyMap<number, ReadonlySet<number>>;
}

/** The lookups that find what a filter lets through, each by itself: the one that should find the fewest others first. */
export function planLookups({ identity, properties, names }: EventFilter): IndexLookup[] {
  const { ids } = planIndexes([...properties.keys()]);
  const [nameId = "", identityId = "", ...propertyIds] = ids;
  const ofProperties = [...properties.keys()].sort().map((property, i) => {
    return toLookup(propertyIds[i] ?? "", (properties.get(property) ?? []).flatMap(propertyTerms));
  });
  return [
    ...(identity === undefined ? [] : [toLookup(identityId, [identityTerm(identity)])]),
    ...ofProperties,
    ...(names.length === 0 ? [] : [toLookup(nameId, names.map(nameTerm))]),
  ];
}

function toLookup(indexId: string, terms: readonly number[]): IndexLookup {
  const fingerprints = new Map<number, Set<number>>();
  for (const term of terms) {
    const bucket = bucketOf(term);
    fingerprints.set(bucket, (fingerprints.get(bucket) ?? new Set()).add(fingerprintOf(term)));
  }
  return { indexId, fingerprints };
}
