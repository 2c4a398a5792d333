/** A tenant: whoever holds one of its keys sees its events, and no others. */
export interface Project {
  readonly name: string;
  /** How long an id is remembered at least, from when its event was accepted. */
  readonly dedupeWindowMs: number;
}

/** Where an event came in. Vendor dialects add theirs. */
export type Entrance = "grpc" | "connect" | "grpc-web";

/** Who is calling, and how. */
export interface Caller {
  readonly project: Project;
  readonly entrance: Entrance;
  /** Aborted when the caller is gone, or its deadline has passed: nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}
