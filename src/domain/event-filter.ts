/** A value that a property is compared with. */
export type PropertyScalar = string | number | boolean | null;

/** Which events are looked for: those that match everything that is set. */
export interface EventFilter {
  /** Any of them; empty: every name. */
  readonly names: readonly string[];
  readonly identity?: { readonly kind: string; readonly id: string } | undefined;
  /** Any of them; empty: every environment, and none. Never more than the caller may read. */
  readonly environments: readonly string[];
  /** Any of them; empty: every value, and none. */
  readonly values: readonly number[];
  readonly valueMin?: number | undefined;
  readonly valueMax?: number | undefined;
  /** By name: what each has to equal, or contain; any of them, and at least one. */
  readonly properties: ReadonlyMap<string, readonly PropertyScalar[]>;
  /** When the event was stored: at this millisecond or later. */
  readonly receivedFromMs?: number | undefined;
  /** Before this millisecond. */
  readonly receivedUntilMs?: number | undefined;
  readonly includeTest: boolean;
}

/** A filter as a caller gives it, who may read but some environments. */
export interface FilterQuery extends Omit<EventFilter, "environments"> {
  /** Empty: any that the caller may read. */
  readonly environment: string;
}

/** The filter that every event matches, test events too. */
export const everyEvent: EventFilter = Object.freeze({
  names: Object.freeze([]),
  environments: Object.freeze([]),
  values: Object.freeze([]),
  properties: new Map(),
  includeTest: true,
});
