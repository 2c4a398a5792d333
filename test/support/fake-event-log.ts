import { Buffer } from "node:buffer";
import type { Position } from "../../src/domain/cursor.ts";
import { isBefore } from "../../src/domain/cursor.ts";
import type { ErrorReason } from "../../src/domain/errors.ts";
import { SluiceError } from "../../src/domain/errors.ts";
import type { AppendOptions, AppendResult, EventLog, EventToAppend, StoredEvent } from "../../src/domain/ports.ts";
import type { Entrance, Project } from "../../src/domain/project.ts";
import type { Quota } from "../../src/domain/quota.ts";
import { isSameEvent } from "../../src/domain/same-event.ts";

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
  /** Bytes that are counted as queued, though they are not at storage. */
  heldBytes(): number;
  /** What is stored, oldest first. */
  stored(project: Project): readonly StoredEvent[];
  /** From now on, nothing is answered. */
  hold(): void;
  release(): void;
  /** Decides which events fail, and how; asked once for each event, in order. Those OUTCOME_UNKNOWN are stored. */
  failWhen(decide: (event: EventToAppend) => ErrorReason | undefined): void;
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
}

const epoch = "fake-epoch-1";

interface Data {
  readonly entries: StoredEvent[];
  readonly byId: Map<string, StoredEvent>;
  /** Tokens taken from each rate limit. */
  taken: number;
}

/** What would become of an event: a result, or `new`; with a reason when its sender is not to learn that it is stored. */
type Verdict = Exclude<AppendResult, { kind: "accepted" }> | { readonly kind: "new"; readonly reason?: ErrorReason };

/** Stores three events a millisecond, so that positions differ in both their parts. */
export function createFakeEventLog({
  readMax = 1000,
  retryDelayMs = fakeRetryDelayMs,
}: FakeLogOptions = {}): FakeEventLog {
  const data = new Map<string, Data>();
  const appends: AppendCall[] = [];
  const reads: number[] = [];
  let heldBytes = 0;
  let gate: PromiseWithResolvers<void> | undefined;
  let failureOf: (event: EventToAppend) => ErrorReason | undefined = () => undefined;

  function dataOf({ name }: Project): Data {
    const found = data.get(name) ?? { entries: [], byId: new Map(), taken: 0 };
    data.set(name, found);
    return found;
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
    const stored = store(data.entries, entrance, event);
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
    refill(project, tokens = Number.POSITIVE_INFINITY) {
      dataOf(project).taken = Math.max(0, dataOf(project).taken - tokens);
    },
    async append(project, entrance, events, options = {}) {
      appends.push({ entrance, events, options });
      await gate?.promise;
      if (options.signal?.aborted) return { results: events.map(() => failed("CALL_ENDED")), quotas: [] };
      const sequence = options.sequence ?? {};
      const results =
        options.isAtomic === true
          ? appendAll(project, entrance, events)
          : events.map((event) => appendOne(project, entrance, event, sequence));
      return { results, quotas: quotasOf(project) };
    },
    holdRoom(_project, bytes) {
      heldBytes += bytes;
      return () => {
        heldBytes -= bytes;
      };
    },
    async waitForRoom() {},
    async read(project, { order, after, countMax }) {
      if (after !== undefined && after.epoch !== epoch) throw new SluiceError("CURSOR_EXPIRED", "of another data set");
      const { entries } = dataOf(project);
      const count = Math.min(countMax, readMax);
      const isWanted = ({ position }: StoredEvent) =>
        after === undefined || (order === "oldest-first" ? isBefore(after, position) : isBefore(position, after));
      const inOrder = order === "oldest-first" ? entries : entries.toReversed();
      const first = inOrder.findIndex(isWanted);
      const events = first === -1 ? [] : inOrder.slice(first, first + count);
      reads.push(events.length);
      return { events, isEnd: events.length < count };
    },
    readQuotas: async (project) => quotasOf(project),
    count: async (project) => dataOf(project).entries.length,
  };
}

function store(entries: StoredEvent[], entrance: Entrance, event: EventToAppend): StoredEvent {
  const { bytes, isTimeAbsent, isTest } = event;
  const count = entries.length;
  const position: Position = { epoch, ms: 1_700_000_000_000 + Math.floor(count / 3), seq: count % 3 };
  const stored = {
    position,
    bytes,
    entrance,
    assignedId: event.isIdAssigned ? event.id : undefined,
    isTimeAbsent,
    isTest,
  };
  entries.push(stored);
  return stored;
}

function failed(reason: ErrorReason): Extract<AppendResult, { kind: "failed" }> {
  return { kind: "failed", error: new SluiceError(reason, `failed with ${reason}`) };
}
