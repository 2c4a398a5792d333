import type { Event } from "../../gen/sluice/v1/event_pb.ts";

/** The most terms that one property gives; a list of more scalars has one term, which stands for any. */
export const propertyTermsMax = 16;

/**
 * How many terms the indexes get of an event, at most: one for its name, one for each identity, and one for each scalar
 * of an indexed property. That is what bounds how much of it one script call stores.
 */
export function countTerms({ identities, properties }: Event, indexedProperties: readonly string[]): number {
  let count = 1 + Object.keys(identities).length;
  if (properties === undefined) return count;
  for (const property of indexedProperties) {
    const value = Object.hasOwn(properties, property) ? properties[property] : undefined;
    if (Array.isArray(value)) count += Math.min(value.length, propertyTermsMax);
    else if (value !== undefined) count++;
  }
  return count;
}
