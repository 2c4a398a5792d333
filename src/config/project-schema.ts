import { z } from "zod";
import { permissions } from "../domain/access.ts";
import { environmentExpectation, isEnvironment, isName, isText, nameExpectation } from "../domain/configured-name.ts";
import { durationExpectation, parseDuration } from "../domain/duration.ts";
import { toDurationText } from "../domain/duration-text.ts";
import { eventLimits } from "../domain/event.ts";
import { settingDefaults } from "../domain/project.ts";

// Whatever is wrong with a value, the message of its issue is what it must be. Of a mapping with unknown fields, it is the
// names of the known ones.

const secondMs = 1000;
const dayMs = 24 * 60 * 60 * 1000;

/** The shape of the whole file. What a project holds is checked one by one, so that one's fault hides no other's. */
export const fileSchema = mapping("a mapping with the field projects", {
  projects: z.custom<Record<string, unknown>>(
    (value) => isMapping(value) && Object.keys(value).length > 0,
    "a mapping of one project or more, by name",
  ),
});

const environment = text(environmentExpectation, isEnvironment);
const environments = list(`a list of one environment or more, each ${environmentExpectation}`, environment, 1);

/** How long an id is remembered. */
export const dedupeWindowSchema = duration(secondMs, 30 * dayMs);

/** How long events are kept. */
export const retentionSchema = duration(2 * secondMs, 3650 * dayMs);

const rateLimit = mapping("a mapping such as { events: 30, per: 1m }", {
  events: wholeNumber(1_000_000_000),
  per: duration(secondMs, 30 * dayMs),
});

const secretExpectation = '"sha256:" and the 64 hex digits of a key\'s digest, as `sluice keys new` prints it';

const key = mapping("a mapping with name, secret and permissions", {
  name: text(nameExpectation, isName),
  secret: z
    .string(secretExpectation)
    .regex(/^sha256:[0-9a-f]{64}$/i, secretExpectation)
    .transform((secret) => secret.slice("sha256:".length).toLowerCase()),
  permissions: list(
    `a list of one permission or more: ${permissions.join(", ")}`,
    z.enum(permissions, permissions.join(" or ")),
    1,
  ),
  environments: environments.optional(),
});

const { identityKindLength, propertyNameLength } = eventLimits;
const kindExpectation = `1 to ${identityKindLength} characters, none of them a control character`;
const propertyExpectation = `1 to ${propertyNameLength} characters, none of them a control character`;

/** Each of them is written with every event that has the property. */
const indexedPropertiesMax = 16;

/** The shape of one project: bounds and defaults of each field, and nothing of what two of them must be together. */
export const projectSchema = mapping("a mapping with the field keys", {
  environments: environments.optional(),
  identityKinds: list(
    `a list of one kind of identity or more, each ${kindExpectation}`,
    text(kindExpectation, (kind) => isText(kind, identityKindLength)),
    1,
  ).optional(),
  indexedProperties: list(
    `a list of ${indexedPropertiesMax} properties at most, each ${propertyExpectation}`,
    text(propertyExpectation, (property) => isText(property, propertyNameLength)),
    0,
    indexedPropertiesMax,
  ).optional(),
  rateLimits: list("a list of 5 limits at most, each such as { events: 30, per: 1m }", rateLimit, 0, 5).optional(),
  retention: retentionSchema.optional(),
  maxEvents: wholeNumber(Number.MAX_SAFE_INTEGER).optional(),
  dedupeWindow: dedupeWindowSchema.default(settingDefaults.dedupeWindowMs),
  keys: list("a list of one key or more", key, 1),
});

/** Whether a value is what YAML calls a mapping. */
export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function mapping<Shape extends z.ZodRawShape>(expectation: string, shape: Shape) {
  const names = Object.keys(shape).join(" ");
  return z.strictObject(shape, {
    error: (issue) => (issue.code === "unrecognized_keys" ? names : expectation),
  });
}

function list<Item extends z.ZodType>(
  expectation: string,
  item: Item,
  countMin = 0,
  countMax = Number.MAX_SAFE_INTEGER,
) {
  return z.array(item, expectation).min(countMin, expectation).max(countMax, expectation);
}

function text(expectation: string, isValid: (text: string) => boolean) {
  return z.string(expectation).refine(isValid, expectation);
}

function wholeNumber(max: number) {
  const expectation = `a whole number from 1 to ${max}`;
  return z.int(expectation).min(1, expectation).max(max, expectation);
}

function duration(minMs: number, maxMs: number) {
  const range = `from ${toDurationText(minMs)} to ${toDurationText(maxMs)}`;
  const expectation = `${durationExpectation}, ${range}`;
  return z.string(expectation).transform((given, context) => {
    const ms = parseDuration(given);
    if (ms !== undefined && ms >= minMs && ms <= maxMs) return ms;
    context.addIssue(expectation);
    return z.NEVER;
  });
}
