import type { Entrance } from "./entrance.ts";
import type { RateLimit } from "./quota.ts";

/** A tenant: whoever holds one of its keys sees its events, and no others. */
export interface Project {
  readonly name: string;
  /** As they are configured now: another object once the configuration has changed, so never keep it. */
  readonly settings: ProjectSettings;
}

/** How a project is configured. */
export interface ProjectSettings {
  /** Those that an event may name; empty: any. */
  readonly environments: readonly string[];
  /** Kinds of identities that an event may have; empty: any. */
  readonly identityKinds: readonly string[];
  /** Of each, every stored event takes one token; each has another `perMs`. Empty: no limit. */
  readonly rateLimits: readonly RateLimit[];
  /** How many events it may hold. Undefined: no limit. */
  readonly eventsMax: number | undefined;
  /** How long an id is remembered at least, from when its event was accepted. */
  readonly dedupeWindowMs: number;
  /** How long events are kept, at least twice the dedupe window. Undefined: for ever. */
  readonly retentionMs: number | undefined;
  /** Top-level properties that events are looked up by. */
  readonly indexedProperties: readonly string[];
}

/** What holds where nothing is configured. */
export const settingDefaults: ProjectSettings = Object.freeze({
  environments: Object.freeze([]),
  identityKinds: Object.freeze([]),
  rateLimits: Object.freeze([]),
  eventsMax: undefined,
  dedupeWindowMs: 7 * 24 * 60 * 60 * 1000,
  retentionMs: undefined,
  indexedProperties: Object.freeze([]),
});

/** Who is calling, and how. */
export interface Caller {
  readonly project: Project;
  /** The environments that its key is bound to, as of the last look at it; empty: none, so it may use all. */
  readonly environments: readonly string[];
  readonly entrance: Entrance;
  /** Aborted when the caller is gone, or its deadline has passed: nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  /** How long until its deadline; infinite when it has none. */
  remainingMs(): number;
  /** Looks at the key again, for calls that last. Throws KEY_INVALID or PERMISSION_MISSING when it allows them no more. */
  recheckKey(): void;
}
