import { Buffer } from "node:buffer";
import { callEnded } from "../../src/domain/call-end.ts";
import type { Position } from "../../src/domain/cursor.ts";
import { isBefore } from "../../src/domain/cursor.ts";
import type { Entrance } from "../../src/domain/entrance.ts";
import type { ErrorReason } from "../../src/domain/errors.ts";
import { SluiceError } from "../../src/domain/errors.ts";
import type {
  AppendOptions,
  AppendResult,
  Clock,
  EventLog,
  EventToAppend,
  ReadRange,
  ReadSlice,
  StoredEvent,
} from "../../src/domain/ports.ts";
import type { Project } from "../../src/domain/project.ts";
import type { Quota } from "../../src/domain/quota.ts";
import { isSameEvent } from "../../src/domain/same-event.ts";
import { createFakeClock } from "./fake-clock.ts";

/** One call of `append`. */
export interface AppendCall {
  readonly entrance: Entrance;
  readonly events: readonly EventToAppend[];
  readonly options: AppendOptions;
}

/** An event log in memory, for tests of what is built on one. */
export interface FakeEventLog extends EventLog {
  /** Every call of `append` since the beginning. */
  readonly appends: readonly AppendCall[];
  /** How many entries each call of `read` looked at. */
  readonly reads: readonly number[];
  /** What each call of `read` was asked for. */
  readonly ranges: readonly ReadRange[];
  /** How many calls of `readLive` there were. */
  liveReads(): number;
  /** How many calls of `readLive` wait for events. */
  waiting(): number;
  /** Bytes that are counted as queued, though they are not at storage. */
  heldBytes(): number;
  /** What is stored, oldest first. */
  stored(project: Project): readonly StoredEvent[];
  /** From now on, nothing is answered. */
  hold(): void;
  release(): void;
  /** Decides which events fail, and how; asked once for each event, in order. Those OUTCOME_UNKNOWN are stored. */
  failWhen(decide: (event: EventToAppend) => ErrorReason | undefined): void;
  /** From now on, whatever reads fails for this reason, and what waits for events with it; undefined: no more. */
  failReads(reason: ErrorReason | undefined): void;
  /** Deletes so many of the oldest events, as retention does. */
  trim(project: Project, count: number): void;
  /** Gives every rate limit of the project so many tokens, or all: time alone gives none here. */
  refill(project: Project, tokens?: number): void;
}

/** The retry delay of whatever a fake log throttles, unless told otherwise. */
export const fakeRetryDelayMs = 2000;

/** Options of a fake log. */
export interface FakeLogOptions {
  /** How many entries one read returns at most, as a log's own limit. Default 1,000. */
  readonly readMax?: number;
  /** Of whatever is throttled. Default 2,000. */
  readonly retryDelayMs?: number;
  /** Which events a read with a filter leaves out, as an index does: it passes them without looking. Default: none. */
  readonly leavesOut?: (event: StoredEvent) => boolean;
  /** By which `readLive` waits. Default: one that stands still. */
  readonly clock?: Clock;
}

const epoch = "fake-epoch-1";

/** When a fake log's first three events were stored. */
export const firstMs = 1_700_000_000_000;

interface Data {
  readonly entries: StoredEvent[];
  readonly byId: Map<string, StoredEvent>;
  /** Those who wait for events. */
  readonly waiting: Set<() => void>;
  /** How many events were stored since the beginning. */
  storedCount: number;
  /** The newest event that was deleted. */
  trimmed: Position | undefined;
  /** Tokens taken from each rate limit. */
  taken: number;
}

/** What would become of an event: a result, or `new`; with a reason when its sender is not to learn that it is stored. */
type Verdict = Exclude<AppendResult, { kind: "accepted" }> | { readonly kind: "new"; readonly reason?: ErrorReason };

/** Stores three events a millisecond, so that positions differ in both their parts. */
export function createFakeEventLog({
  readMax = 1000,
  retryDelayMs = fakeRetryDelayMs,
  leavesOut = () => false,
  clock = createFakeClock(),
}: FakeLogOptions = {}): FakeEventLog {
  const data = new Map<string, Data>();
  const appends: AppendCall[] = [];
  const reads: number[] = [];
  const ranges: ReadRange[] = [];
  let liveReads = 0;
  let heldBytes = 0;
  let gate: PromiseWithResolvers<void> | undefined;
  let failureOf: (event: EventToAppend) => ErrorReason | undefined = () => undefined;
  let readFailure: ErrorReason | undefined;

  function dataOf({ name }: Project): Data {
    const found = data.get(name) ?? newData();
    data.set(name, found);
    return found;
  }

  function wake({ waiting }: Data): void {
    for (const end of waiting) end();
  }

  /** Throws what a read throws that cannot be answered. */
  function checkRead(project: Project, after: Position | undefined): void {
    if (readFailure !== undefined) throw new SluiceError(readFailure, `failed with ${readFailure}`);
    const { trimmed } = dataOf(project);
    if (after === undefined) return;
    if (after.epoch !== epoch) throw new SluiceError("CURSOR_EXPIRED", "of another data set");
    if (trimmed !== undefined && isBefore(after, trimmed))
      throw new SluiceError("CURSOR_EXPIRED", "before what is kept");
  }

  function readSlice(project: Project, { order, after, filter, countMax }: ReadRange): ReadSlice {
    const { receivedFromMs = 0, receivedUntilMs = Number.POSITIVE_INFINITY } = filter ?? {};
    const isWanted = ({ position }: StoredEvent) =>
      position.ms >= receivedFromMs &&
      position.ms < receivedUntilMs &&
      (after === undefined || (order === "oldest-first" ? isBefore(after, position) : isBefore(position, after)));
    const { entries } = dataOf(project);
    const inOrder = (order === "oldest-first" ? entries : entries.toReversed()).filter(isWanted);
    const count = Math.min(countMax, readMax);
    const passed = inOrder.slice(0, count);
    const events = filter === undefined ? passed : passed.filter((event) => !leavesOut(event));
    return { events, reached: passed.at(-1)?.position, scannedCount: events.length, isEnd: passed.length < count };
  }

  /** What would become of an event; nothing is changed yet. */
  function judge(project: Project, tokensLeft: number, event: EventToAppend): Verdict {
    const reason = failureOf(event);
    if (reason !== undefined && reason !== "OUTCOME_UNKNOWN") return failed(reason);
    const original = dataOf(project).byId.get(event.id);
    if (original === undefined) {
      if (tokensLeft < 1) return { kind: "throttled", retryDelayMs };
      return { kind: "new", ...(reason && { reason }) };
    }
    if (reason !== undefined) return failed(reason);
    const isSame = Buffer.compare(original.bytes, event.bytes) === 0 || isSameEvent(original.bytes, event.bytes);
    return isSame ? { kind: "duplicate", position: original.position } : { kind: "conflict" };
  }

  function appendOne(
    project: Project,
    entrance: Entrance,
    event: EventToAppend,
    sequence: { throttledMs?: number },
  ): AppendResult {
    const data = dataOf(project);
    const verdict = judge(project, sequence.throttledMs === undefined ? tokensLeft(project) : 0, event);
    if (verdict.kind === "throttled") sequence.throttledMs = verdict.retryDelayMs;
    if (verdict.kind !== "new") return verdict;
    const stored = store(data, entrance, event);
    wake(data);
    data.byId.set(event.id, stored);
    data.taken++;
    return verdict.reason === undefined ? { kind: "accepted", position: stored.position } : failed(verdict.reason);
  }

  /** Stores all events or none; those that are new and not to blame are withheld then. */
  function appendAll(project: Project, entrance: Entrance, events: readonly EventToAppend[]): AppendResult[] {
    const left = tokensLeft(project);
    let newCount = 0;
    const verdicts = events.map((event) => {
      const verdict = judge(project, left - newCount, event);
      if (verdict.kind === "new") newCount++;
      return verdict;
    });
    if (verdicts.every(({ kind }) => kind === "new" || kind === "duplicate")) {
      return events.map((event) => appendOne(project, entrance, event, {}));
    }
    return verdicts.map((verdict) => (verdict.kind === "new" ? { kind: "withheld" } : verdict));
  }

  function tokensLeft(project: Project): number {
    return Math.min(...project.settings.rateLimits.map(({ events }) => events - dataOf(project).taken));
  }

  function quotasOf(project: Project): Quota[] {
    return project.settings.rateLimits.map((limit) => ({
      limit,
      remaining: limit.events - dataOf(project).taken,
      resetAfterMs: Math.ceil((dataOf(project).taken / limit.events) * limit.perMs),
    }));
  }

  return {
    appends,
    reads,
    ranges,
    liveReads: () => liveReads,
    waiting: () => [...data.values()].reduce((sum, { waiting }) => sum + waiting.size, 0),
    heldBytes: () => heldBytes,
    stored: (project) => dataOf(project).entries,
    hold() {
      gate ??= Promise.withResolvers();
    },
    release() {
      gate?.resolve();
      gate = undefined;
    },
    failWhen(decide) {
      failureOf = decide;
    },
    failReads(reason) {
      readFailure = reason;
      for (const one of data.values()) wake(one);
    },
    trim(project, count) {
      const data = dataOf(project);
      data.trimmed = data.entries.splice(0, count).at(-1)?.position ?? data.trimmed;
    },
    refill(project, tokens = Number.POSITIVE_INFINITY) {
      dataOf(project).taken = Math.max(0, dataOf(project).taken - tokens);
    },
    async append(project, entrance, events, options = {}) {
      appends.push({ entrance, events, options });
      const { signal } = options;
      await (signal && gate ? Promise.race([gate.promise, aborted(signal)]) : gate?.promise);
      if (signal?.aborted)
        return { results: events.map(() => ({ kind: "failed", error: callEnded(signal) })), quotas: [] };
      const sequence = options.sequence ?? {};
      const { failure } = sequence;
      if (failure !== undefined) return { results: events.map(() => failed(failure.reason)), quotas: [] };
      const results =
        options.isAtomic === true
          ? appendAll(project, entrance, events)
          : events.map((event) => appendOne(project, entrance, event, sequence));
      const first = results.find((result) => result.kind === "failed");
      if (first !== undefined) sequence.failure = first.error;
      return { results, quotas: quotasOf(project) };
    },
    holdRoom(_project, bytes) {
      heldBytes += bytes;
      return () => {
        heldBytes -= bytes;
      };
    },
    async waitForRoom() {},
    async read(project, range) {
      ranges.push(range);
      checkRead(project, range.after);
      const slice = readSlice(project, range);
      reads.push(slice.scannedCount);
      return slice;
    },
    async readAt(project, position) {
      checkRead(project, position);
      const isThere = ({ position: { ms, seq } }: StoredEvent) => ms === position.ms && seq === position.seq;
      return dataOf(project).entries.find(isThere);
    },
    async readById(project, id) {
      checkRead(project, undefined);
      const event = dataOf(project).byId.get(id);
      return event !== undefined && dataOf(project).entries.includes(event) ? event : undefined;
    },
    async startOfTail(project, fromMs) {
      checkRead(project, undefined);
      const { entries, trimmed = { epoch, ms: 0, seq: 0 } } = dataOf(project);
      if (fromMs === undefined) return entries.at(-1)?.position ?? trimmed;
      const before = { epoch, ms: fromMs - 1, seq: 2 ** 48 - 1 };
      return isBefore(before, trimmed) ? trimmed : before;
    },
    async readLive(project, after, { waitMs, signal }) {
      liveReads++;
      checkRead(project, after);
      const range: ReadRange = { order: "oldest-first", after, countMax: readMax };
      const slice = readSlice(project, range);
      if (slice.events.length > 0 || signal.aborted || waitMs <= 0) return slice;
      const { waiting } = dataOf(project);
      const woken = new AbortController();
      const end = () => woken.abort();
      waiting.add(end);
      signal.addEventListener("abort", end);
      await clock.wait(waitMs, woken.signal);
      waiting.delete(end);
      signal.removeEventListener("abort", end);
      checkRead(project, after);
      return readSlice(project, range);
    },
    readQuotas: async (project) => quotasOf(project),
    count: async (project) => dataOf(project).entries.length,
  };
}

function newData(): Data {
  return { entries: [], byId: new Map(), waiting: new Set(), storedCount: 0, trimmed: undefined, taken: 0 };
}

function store(data: Data, entrance: Entrance, event: EventToAppend): StoredEvent {
  const { bytes, isTimeAbsent, isTest } = event;
  const count = data.storedCount++;
  const position: Position = { epoch, ms: firstMs + Math.floor(count / 3), seq: count % 3 };
  const stored = {
    position,
    bytes,
    entrance,
    assignedId: event.isIdAssigned ? event.id : undefined,
    isTimeAbsent,
    isTest,
  };
  data.entries.push(stored);
  return stored;
}

function failed(reason: ErrorReason): Extract<AppendResult, { kind: "failed" }> {
  return { kind: "failed", error: new SluiceError(reason, `failed with ${reason}`) };
}

/** Resolves when a signal is aborted. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
