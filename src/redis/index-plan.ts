import { hash } from "node:crypto";

/**
 * Which indexes are kept for a project: by name, by identity, and by some of the properties. The plan that holds is stored
 * beside the events, since events that were appended by another plan would be missed by those who look them up.
 */
export interface IndexPlan {
  /** As it is stored; two plans are the same when their texts are. */
  readonly text: string;
  /** What the keys of the indexes are named after, by ordinal: name, identity, then the properties. */
  readonly ids: readonly string[];
  /** In the order of their indexes, of which the first has the ordinal `firstPropertyIndex`. */
  readonly properties: ReadonlySet<string>;
  /** The same in UTF-8. */
  readonly propertyKeys: readonly Uint8Array[];
}

/** Ordinals of the indexes that every plan has. */
export const nameIndex = 0;
export const identityIndex = 1;
export const firstPropertyIndex = 2;

const everyPlan = { n: "name", i: "identity" } as const;
const propertyPrefix = "property:";

/** The plan for these indexed properties; neither their order nor how often they are there matters. */
export function planIndexes(indexedProperties: readonly string[]): IndexPlan {
  const properties = [...new Set(indexedProperties)].sort();
  return {
    text: JSON.stringify([...Object.values(everyPlan), ...properties.map((property) => propertyPrefix + property)]),
    ids: [...Object.keys(everyPlan), ...properties.map(toPropertyId)],
    properties: new Set(properties),
    propertyKeys: properties.map((property) => Buffer.from(property, "utf8")),
  };
}

/** The plan with this text. Throws on a text that this version did not write. */
export function parsePlan(text: string): IndexPlan {
  const names: unknown = JSON.parse(text);
  if (!Array.isArray(names)) throw new Error("the stored index plan is not a list");
  const properties = names.slice(firstPropertyIndex).map((name: unknown) => String(name));
  const plan = planIndexes(properties.map((name) => name.slice(propertyPrefix.length)));
  if (plan.text !== text) throw new Error("the stored index plan is of another version");
  return plan;
}

/** Short, and of no character that means something in a key's name. */
function toPropertyId(property: string): string {
  return `p${hash("sha256", property, "base64url").slice(0, 8)}`;
}
