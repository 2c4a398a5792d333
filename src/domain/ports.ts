import type { Position } from "./cursor.ts";
import type { Entrance } from "./entrance.ts";
import type { SluiceError, Violation } from "./errors.ts";
import type { EventFilter } from "./event-filter.ts";
import type { RejectionReason } from "./outcome.ts";
import type { Project } from "./project.ts";
import type { Quota } from "./quota.ts";

/** Tells the time, and waits; injected, so that tests need not wait. */
export interface Clock {
  nowMs(): number;
  /** Resolves after so long, or when aborted. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
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
  /** How many terms the indexes get of it, at most. Default: 2. */
  readonly termCount?: number;
}

/** What became of one event handed to the log. */
export type AppendResult =
  | { readonly kind: "accepted"; readonly position: Position }
  /** Stored before, at this position. */
  | { readonly kind: "duplicate"; readonly position: Position }
  /** The id was used before, for another payload. */
  | { readonly kind: "conflict" }
  /** Not stored: a rate limit has no token for it, and will after this time. */
  | { readonly kind: "throttled"; readonly retryDelayMs: number }
  /** Not stored, though nothing was wrong with it: another event of the same atomic append was not. */
  | { readonly kind: "withheld" }
  /** OUTCOME_UNKNOWN: perhaps stored. Any other reason: not stored. */
  | { readonly kind: "failed"; readonly error: SluiceError };

/**
 * Appends that belong together, such as those of one stream: once one of them has failed, those behind it that are not yet
 * on their way fail too, so that no event overtakes one that its sender has to send again.
 */
export interface AppendSequence {
  failure?: SluiceError;
  /** Set once one was throttled: those behind it are then throttled too, with this delay. */
  throttledMs?: number;
}

/** What became of the events handed to the log, index-aligned, and what the project's rate limits have left. */
export interface Appended {
  readonly results: readonly AppendResult[];
  /** In the order of the project's settings; empty when it has no limits, or nothing is known of them. */
  readonly quotas: readonly Quota[];
}

/** How a caller wants its events appended. */
export interface AppendOptions {
  /** Events that are not yet on their way when it is aborted are not stored. */
  readonly signal?: AbortSignal;
  /** Wait for room in the queue instead of failing with OVERLOADED: for senders that are held back meanwhile. */
  readonly isHeldBack?: boolean;
  readonly sequence?: AppendSequence;
  /** Stores all or none, at once; the results then say which event stopped it. 500 events at most. */
  readonly isAtomic?: boolean;
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
  readonly after?: Position | undefined;
  /**
   * What the caller looks for, and will sift by itself. Its receive times bound what is read. By the rest, the log may
   * leave events out that do not match, where it can look up those that may.
   */
  readonly filter?: EventFilter | undefined;
  /** How many events to read at most. Fewer are read when they are large, or take long to find. */
  readonly countMax: number;
  /**
   * Set for one of many reads that look for a few events: it then waits until it does not disturb others, and calls and
   * tails take turns.
   */
  readonly searchFor?: "call" | "tail" | undefined;
  /** A search whose signal is aborted no longer waits for its turn: it throws CALL_ENDED, or the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Some of a project's events in order. */
export interface ReadSlice {
  readonly events: readonly StoredEvent[];
  /** How far was read, events that were left out included: the next slice is behind it. Absent when nothing was passed. */
  readonly reached?: Position | undefined;
  /** What it took to find them, in events that were looked at: bounds how often a caller reads on. */
  readonly scannedCount: number;
  /** Whether there is nothing more in this direction, or within the filter's receive times. */
  readonly isEnd: boolean;
}

/** How to wait for events to come. */
export interface WaitOptions {
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

/** A project's events: append-only, in one total order. */
export interface EventLog {
  /**
   * Stores each event once, in the order given, and answers for each of them. Takes a token of every rate limit for each
   * that it stores, and for nothing else. None is stored behind one that was throttled; once one has failed, those behind
   * it that are not yet on their way fail too. Never rejects.
   */
  append(
    project: Project,
    entrance: Entrance,
    events: readonly EventToAppend[],
    options?: AppendOptions,
  ): Promise<Appended>;
  /**
   * Counts bytes of events that are kept back as queued, until the returned function is called, once: what is not at
   * storage takes memory all the same.
   */
  holdRoom(project: Project, bytes: number): () => void;
  /** Resolves when less is queued than may be, or when aborted. A stream waits for it before it reads on. */
  waitForRoom(project: Project, signal: AbortSignal): Promise<void>;
  /**
   * Reads a bounded slice. Throws CURSOR_EXPIRED when `after` is of another data set or before what retention kept;
   * STORAGE_UNAVAILABLE; OVERLOADED when too many search.
   */
  read(project: Project, range: ReadRange): Promise<ReadSlice>;
  /** The event at a position, if there is one. Throws as `read` does. */
  readAt(project: Project, position: Position): Promise<StoredEvent | undefined>;
  /** The event with this id, if it is remembered and kept. Throws STORAGE_UNAVAILABLE. */
  readById(project: Project, id: string): Promise<StoredEvent | undefined>;
  /**
   * Where a tail begins: at the newest event, or, given a time, in front of the first that is kept and was or will be
   * stored then or later. Throws STORAGE_UNAVAILABLE, and STORAGE_FULL in a data set that was never written to.
   */
  startOfTail(project: Project, fromMs?: number): Promise<Position>;
  /**
   * Reads a slice of what is behind a position, oldest first. When there is nothing, waits until there is, or until the
   * time is up or the signal aborted: the slice is empty then. All who wait share one connection, and what it reads; who
   * is behind reads as one search of many, and shares that with those it meets on its way. Throws as `read` does.
   */
  readLive(project: Project, after: Position, options: WaitOptions): Promise<ReadSlice>;
  /** What the project's rate limits have left, in the order of its settings. Throws STORAGE_UNAVAILABLE. */
  readQuotas(project: Project): Promise<readonly Quota[]>;
  /** How many events the project holds. Throws STORAGE_UNAVAILABLE. */
  count(project: Project): Promise<number>;
}

/** A rejected event, as it is kept to be looked at. */
export interface RejectedEvent {
  readonly rejectedAtMs: number;
  readonly entrance: Entrance;
  /** As sent, cut; empty when it had none, or could not be read. */
  readonly id: string;
  /**
   * Those that it may belong to: its own where its key may use that, else all that the key is bound to. Who may not see
   * all of them may not see it. Empty: nobody knows, and only keys that are bound to none may see it.
   */
  readonly environments: readonly string[];
  readonly reason: RejectionReason;
  readonly violation: Violation;
  /** What was sent, cut: as JSON where it could be read. */
  readonly payload: string;
}

/** Which part of a project's rejected events to read, newest first. */
export interface RejectedRange {
  /** Exclusive; absent: from the newest on. */
  readonly after?: Position;
  readonly countMax: number;
}

/** Some of a project's rejected events, newest first. */
export interface RejectedSlice {
  readonly events: readonly (RejectedEvent & { readonly position: Position })[];
  /** Whether there are none older. */
  readonly isEnd: boolean;
  /** How many of all were not kept, but counted. */
  readonly omittedCount: number;
}

/** The last rejected events of each project, so that a mistake can be seen. */
export interface RejectedEvents {
  /** Keeps some, and counts others. Nobody waits for it; what cannot be written is lost. */
  keep(project: Project, events: readonly RejectedEvent[], omittedCount: number): void;
  /** Throws STORAGE_UNAVAILABLE. */
  read(project: Project, range: RejectedRange): Promise<RejectedSlice>;
}

/** Whether the server can do its work now: its storage answers, and it is not shutting down. */
export interface ServingStatus {
  isServing(): boolean;
  /** Calls the listener at each change, until the returned function is called. */
  subscribe(listener: (isServing: boolean) => void): () => void;
}
