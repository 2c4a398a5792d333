import type { Redis } from "ioredis";
import type { Position } from "../domain/cursor.ts";
import { SluiceError } from "../domain/errors.ts";
import type { AppendOptions, AppendResult, EventLog, EventToAppend } from "../domain/ports.ts";
import type { Entrance, Project } from "../domain/project.ts";
import { isSameEvent } from "../domain/same-event.ts";
import type { AppendEvents } from "./append-events.ts";
import { createAppendEvents } from "./append-events.ts";
import type { AppendQueue, AppendQueueLimits } from "./append-queue.ts";
import { createAppendQueue } from "./append-queue.ts";
import { createQueueBudget } from "./queue-budget.ts";
import { createReadEvents } from "./read-events.ts";
import type { QueueOutcome } from "./submission.ts";

export interface EventLogOptions {
  /** For scripts that append: made by createWriteConnection. */
  readonly writeConnection: Redis;
  /** A slow read must not stand in front of an append: made by createReadConnection. */
  readonly readConnection: Redis;
  readonly limits?: Partial<EventLogLimits>;
}

export interface EventLogLimits extends AppendQueueLimits {
  /** Bytes of a project's events that may wait for Redis. Above it, calls get OVERLOADED. */
  readonly projectQueueBytes: number;
  /** The same for all projects together. */
  readonly queueBytes: number;
}

const limitDefaults: EventLogLimits = {
  chunkEvents: 500,
  chunkBytes: 1 << 20,
  chunksInFlight: 4,
  outageWaitMs: 2000,
  projectQueueBytes: 32 << 20,
  queueBytes: 128 << 20,
};

/** An EventLog that can be emptied before its connections are closed. */
export interface RedisEventLog extends EventLog {
  /** Resolves when all that was submitted has its answer. */
  drain(): Promise<void>;
}

/** The event log in Redis: appends by group commit, a queue for each project. */
export function createEventLog({ writeConnection, readConnection, limits: given }: EventLogOptions): RedisEventLog {
  const limits = { ...limitDefaults, ...given };
  const appendEvents = reconnectOnSilence(writeConnection, createAppendEvents(writeConnection));
  const reader = createReadEvents(readConnection);
  const totalBudget = createQueueBudget(limits.queueBytes);
  const queues = new Map<string, { queue: AppendQueue; budget: ReturnType<typeof createQueueBudget> }>();
  const pending = new Set<Promise<unknown>>();

  writeConnection.on("ready", () => setReachable(true));
  writeConnection.on("close", () => setReachable(false));

  function setReachable(isReachable: boolean): void {
    for (const { queue } of queues.values()) queue.setReachable(isReachable);
  }

  function queueOf(project: Project) {
    let entry = queues.get(project.name);
    if (entry === undefined) {
      const budget = createQueueBudget(limits.projectQueueBytes, totalBudget);
      const isReachable = writeConnection.status === "ready";
      entry = { queue: createAppendQueue({ project, appendEvents, budget, isReachable, limits }), budget };
      queues.set(project.name, entry);
    }
    return entry;
  }

  async function appendAll(
    project: Project,
    entrance: Entrance,
    events: readonly EventToAppend[],
    options: AppendOptions,
  ): Promise<AppendResult[]> {
    const outcomes = await queueOf(project).queue.submit(entrance, events, options);
    const results: AppendResult[] = [];
    // One by one: an original may have 800 KB, and a call can ask for 500 of them.
    for (const [i, event] of events.entries()) results.push(await toResult(project, event, outcomes[i]));
    return results;
  }

  /** Only a payload whose bytes differ is looked at: the same event may be encoded in several ways. */
  function toResult(
    project: Project,
    event: EventToAppend,
    outcome: QueueOutcome | undefined,
  ): AppendResult | Promise<AppendResult> {
    switch (outcome?.kind) {
      case undefined:
        return { kind: "failed", error: new SluiceError("INTERNAL", "the append queue skipped an event") };
      case "failed":
        return outcome;
      case "added":
        return { kind: "accepted", position: outcome.position };
      case "known":
        return outcome.isSamePayloadHash
          ? { kind: "duplicate", position: outcome.position }
          : compareWithOriginal(project, event, outcome.position);
    }
  }

  async function compareWithOriginal(
    project: Project,
    event: EventToAppend,
    position: Position,
  ): Promise<AppendResult> {
    try {
      const original = await reader.readAt(project, position);
      const isSame = original !== undefined && isSameEvent(original.bytes, event.bytes);
      return isSame ? { kind: "duplicate", position } : { kind: "conflict" };
    } catch (cause) {
      const text = "whether the id was used for the same event could not be looked up: send it again with the same id";
      return { kind: "failed", error: new SluiceError("OUTCOME_UNKNOWN", text, { cause }) };
    }
  }

  return {
    async append(project, entrance, events, options = {}) {
      const appended = appendAll(project, entrance, events, options);
      pending.add(appended);
      const results = await appended;
      pending.delete(appended);
      return results;
    },
    waitForRoom: (project, signal) => queueOf(project).budget.waitForRoom(signal),
    read: reader.read,
    async drain() {
      while (pending.size > 0) await Promise.all(pending);
    },
  };
}

/**
 * A Redis that did not answer in time is given no more to do until it does: what it was never sent is certainly not
 * stored, and may be sent again.
 */
function reconnectOnSilence(redis: Redis, appendEvents: AppendEvents): AppendEvents {
  return async (project, chunk) => {
    try {
      return await appendEvents(project, chunk);
    } catch (error) {
      if (error instanceof Error && error.message === "Command timed out") redis.disconnect(true);
      throw error;
    }
  };
}
