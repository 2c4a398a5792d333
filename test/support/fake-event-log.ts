import { Buffer } from "node:buffer";
import type { Position } from "../../src/domain/cursor.ts";
import { isBefore } from "../../src/domain/cursor.ts";
import type { ErrorReason } from "../../src/domain/errors.ts";
import { SluiceError } from "../../src/domain/errors.ts";
import type { AppendOptions, AppendResult, EventLog, EventToAppend, StoredEvent } from "../../src/domain/ports.ts";
import type { Entrance, Project } from "../../src/domain/project.ts";
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
  /** What is stored, oldest first. */
  stored(project: Project): readonly StoredEvent[];
  /** From now on, nothing is answered. */
  hold(): void;
  release(): void;
  /** Decides which events fail, and how; asked once for each event, in order. Those OUTCOME_UNKNOWN are stored. */
  failWhen(decide: (event: EventToAppend) => ErrorReason | undefined): void;
}

/** Options of a fake log. */
export interface FakeLogOptions {
  /** How many entries one read returns at most, as a log's own limit. Default 1,000. */
  readonly readMax?: number;
}

const epoch = "fake-epoch-1";

interface Data {
  readonly entries: StoredEvent[];
  readonly byId: Map<string, StoredEvent>;
}

/** Stores three events a millisecond, so that positions differ in both their parts. */
export function createFakeEventLog({ readMax = 1000 }: FakeLogOptions = {}): FakeEventLog {
  const data = new Map<string, Data>();
  const appends: AppendCall[] = [];
  const reads: number[] = [];
  let gate: PromiseWithResolvers<void> | undefined;
  let failureOf: (event: EventToAppend) => ErrorReason | undefined = () => undefined;

  function dataOf({ name }: Project): Data {
    const found = data.get(name) ?? { entries: [], byId: new Map() };
    data.set(name, found);
    return found;
  }

  function appendOne({ entries, byId }: Data, entrance: Entrance, event: EventToAppend): AppendResult {
    const reason = failureOf(event);
    if (reason !== undefined && reason !== "OUTCOME_UNKNOWN") return failed(reason);
    const original = byId.get(event.id);
    const stored = original ?? store(entries, entrance, event);
    byId.set(event.id, stored);
    if (reason !== undefined) return failed(reason);
    if (original === undefined) return { kind: "accepted", position: stored.position };
    const isSame = Buffer.compare(original.bytes, event.bytes) === 0 || isSameEvent(original.bytes, event.bytes);
    return isSame ? { kind: "duplicate", position: original.position } : { kind: "conflict" };
  }

  return {
    appends,
    reads,
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
    async append(project, entrance, events, options = {}) {
      appends.push({ entrance, events, options });
      await gate?.promise;
      if (options.signal?.aborted) return events.map(() => failed("CALL_ENDED"));
      return events.map((event) => appendOne(dataOf(project), entrance, event));
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

function failed(reason: ErrorReason): AppendResult {
  return { kind: "failed", error: new SluiceError(reason, `failed with ${reason}`) };
}
