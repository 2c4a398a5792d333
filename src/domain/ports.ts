import type { Position } from "./cursor.ts";
import type { SluiceError } from "./errors.ts";
import type { Entrance, Project } from "./project.ts";

/** Tells the time; injected, so that tests need not wait. */
export interface Clock {
  nowMs(): number;
}

/** A valid event, ready to be stored. */
export interface EventToAppend {
  /** The sender's id, or the one assigned to the event. */
  readonly id: string;
  /** Whether the server assigned the id; then it is not in the bytes. */
  readonly isIdAssigned: boolean;
  /** The event's encoding: no unknown fields, none of the output-only ones. */
  readonly bytes: Uint8Array;
  /** Whether the sender left the time out. */
  readonly isTimeAbsent: boolean;
  readonly isTest: boolean;
}

/** What became of one event handed to the log. */
export type AppendResult =
  | { readonly kind: "accepted"; readonly position: Position }
  /** Stored before, at this position. */
  | { readonly kind: "duplicate"; readonly position: Position }
  /** The id was used before, for another payload. */
  | { readonly kind: "conflict" }
  /** OUTCOME_UNKNOWN: perhaps stored. Any other reason: not stored. */
  | { readonly kind: "failed"; readonly error: SluiceError };

/**
 * Appends that belong together, such as those of one stream: once one of them has failed, those behind it that are not yet
 * on their way fail too, so that no event overtakes one that its sender has to send again.
 */
export interface AppendSequence {
  failure?: SluiceError;
}

/** How a caller wants its events appended. */
export interface AppendOptions {
  /** Events that are not yet on their way when it is aborted are not stored. */
  readonly signal?: AbortSignal;
  /** Wait for room in the queue instead of failing with OVERLOADED: for senders that are held back meanwhile. */
  readonly isHeldBack?: boolean;
  readonly sequence?: AppendSequence;
}

/** An event as the log keeps it. */
export interface StoredEvent {
  readonly position: Position;
  /** The event's encoding, as it was handed to the log. */
  readonly bytes: Uint8Array;
  readonly entrance: Entrance;
  /** The id, when the server assigned it; else it is in the bytes. */
  readonly assignedId: string | undefined;
  readonly isTimeAbsent: boolean;
  readonly isTest: boolean;
}

/** Which part of a project's events to read. */
export interface ReadRange {
  readonly order: "newest-first" | "oldest-first";
  /** Exclusive; absent: from the end that the order begins at. */
  readonly after?: Position;
  /** How many events to read at most. Fewer are read when they are large. */
  readonly countMax: number;
}

/** Some of a project's events in order. */
export interface ReadSlice {
  readonly events: readonly StoredEvent[];
  /** Whether the log holds nothing more in this direction. */
  readonly isEnd: boolean;
}

/** A project's events: append-only, in one total order. */
export interface EventLog {
  /**
   * Stores each event once, in the order given, and answers for each of them, index-aligned. Once one has failed, those
   * behind it that are not yet on their way fail too. Never rejects.
   */
  append(
    project: Project,
    entrance: Entrance,
    events: readonly EventToAppend[],
    options?: AppendOptions,
  ): Promise<AppendResult[]>;
  /** Resolves when less is queued than may be, or when aborted. A stream waits for it before it reads on. */
  waitForRoom(project: Project, signal: AbortSignal): Promise<void>;
  /** Reads a bounded slice. Throws CURSOR_EXPIRED when `after` is of another data set; STORAGE_UNAVAILABLE. */
  read(project: Project, range: ReadRange): Promise<ReadSlice>;
}

/** Whether the server can do its work now: its storage answers, and it is not shutting down. */
export interface ServingStatus {
  isServing(): boolean;
  /** Calls the listener at each change, until the returned function is called. */
  subscribe(listener: (isServing: boolean) => void): () => void;
}
