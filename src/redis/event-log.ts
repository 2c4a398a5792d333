import { randomBytes } from "node:crypto";
import type { Redis } from "ioredis";
import type { EventLog } from "../domain/ports.ts";
import type { Project } from "../domain/project.ts";
import { createAppendAtomically } from "./append-atomically.ts";
import type { AppendEvents } from "./append-events.ts";
import { createAppendEvents, encodeAppendCall, segmentEventsDefault } from "./append-events.ts";
import type { AppendQueue, AppendQueueLimits } from "./append-queue.ts";
import { createAppendQueue } from "./append-queue.ts";
import { createChunkPlaces } from "./chunk-places.ts";
import { createChunkSender } from "./chunk-sender.ts";
import { createJudge } from "./judge-outcomes.ts";
import { projectKeys } from "./keys.ts";
import { createLiveEvents } from "./live-events.ts";
import type { QueueBudget } from "./queue-budget.ts";
import { createQueueBudget } from "./queue-budget.ts";
import type { RangeConnection } from "./range-connection.ts";
import type { Reachability } from "./reachability.ts";
import { createReachability } from "./reachability.ts";
import { createReadEvents } from "./read-events.ts";
import { toReadError } from "./storage-error.ts";

export interface EventLogOptions {
  /** For scripts that append: made by createWriteConnection. */
  readonly writeConnection: Redis;
  /** A slow read must not stand in front of an append: made by createReadConnection. */
  readonly readConnection: Redis;
  /** For the command that tails wait by: made by createBlockingConnection. */
  readonly blockingConnection: Redis;
  /** Makes pages cheaper; absent: everything is read by `readConnection`. */
  readonly rangeConnection?: RangeConnection;
  readonly limits?: Partial<EventLogLimits>;
}

export interface EventLogLimits extends AppendQueueLimits {
  /** Chunks of all projects together that are with Redis at a time: so few that the last is answered soon. */
  readonly totalChunksInFlight: number;
  /** How long the server tries to find out what became of a chunk whose reply was lost. */
  readonly resolveWaitMs: number;
  /** Bytes of a project's events that may wait for Redis. Above it, calls get OVERLOADED. */
  readonly projectQueueBytes: number;
  /** The same for all projects together. */
  readonly queueBytes: number;
  /** Events in a segment of the indexes. */
  readonly segmentEvents: number;
}

const limitDefaults: EventLogLimits = {
  chunkEvents: 500,
  chunkBytes: 1 << 20,
  chunksInFlight: 4,
  totalChunksInFlight: 12,
  outageWaitMs: 2000,
  resolveWaitMs: 10_000,
  projectQueueBytes: 32 << 20,
  queueBytes: 128 << 20,
  segmentEvents: segmentEventsDefault,
};

/** An EventLog that can be ended before its connections are closed. */
export interface RedisEventLog extends EventLog {
  /** Resolves when all that was submitted has its answer. */
  drain(): Promise<void>;
  /** Answers at once for all that was submitted and will be: OUTCOME_UNKNOWN what is with Redis, the rest SHUTTING_DOWN. */
  giveUp(): void;
}

/** The event log in Redis: appends by group commit, a queue for each project. */
export function createEventLog({
  writeConnection,
  readConnection,
  blockingConnection,
  rangeConnection,
  limits: given,
}: EventLogOptions): RedisEventLog {
  const limits = { ...limitDefaults, ...given };
  const reachability = createReachability(writeConnection.status === "ready");
  const appendEvents = reconnectOnSilence(
    writeConnection,
    reachability,
    createAppendEvents(writeConnection, limits.segmentEvents),
  );
  const reader = createReadEvents(readConnection, rangeConnection);
  const live = createLiveEvents({ blockingConnection, readConnection, read: reader.read });
  const judge = createJudge(reader.readEntry);
  const sender = randomBytes(6).toString("base64url");
  const places = createChunkPlaces(limits.totalChunksInFlight);
  const totalBudget = createQueueBudget(limits.queueBytes);
  const queues = new Map<string, { queue: AppendQueue; budget: QueueBudget }>();
  let pendingCount = 0;
  let drained: PromiseWithResolvers<void> | undefined;
  let isGivenUp = false;

  writeConnection.on("ready", () => reachability.set(true));
  writeConnection.on("close", () => reachability.set(false));

  function queueOf(project: Project) {
    let entry = queues.get(project.name);
    if (entry === undefined) {
      const budget = createQueueBudget(limits.projectQueueBytes, totalBudget);
      const { resolveWaitMs } = limits;
      const chunkSender = createChunkSender({ appendEvents, reachability, sender, resolveWaitMs });
      entry = { queue: createAppendQueue({ sender: chunkSender, places, budget, reachability, limits }), budget };
      queues.set(project.name, entry);
      if (isGivenUp) entry.queue.giveUp();
    }
    return entry;
  }

  const appendEach: EventLog["append"] = async (project, entrance, events, options = {}) => {
    const { outcomes, quotas } = await queueOf(project).queue.submit(project, entrance, events, options);
    const judged = judge(project, events, outcomes);
    return { results: Array.isArray(judged) ? judged : await judged, quotas };
  };
  const appendAtomically = createAppendAtomically(appendEach);

  return {
    append(project, entrance, events, options = {}) {
      const append = options.isAtomic ? appendAtomically : appendEach;
      pendingCount++;
      return append(project, entrance, events, options).finally(() => {
        if (--pendingCount > 0) return;
        drained?.resolve();
        drained = undefined;
      });
    },
    holdRoom(project, bytes) {
      const { budget } = queueOf(project);
      budget.hold(bytes);
      return () => budget.release(bytes);
    },
    waitForRoom: (project, signal) => queueOf(project).budget.waitForRoom(signal),
    read: reader.read,
    readAt: reader.readAt,
    readById: reader.readById,
    startOfTail: reader.startOfTail,
    readLive: live.readLive,
    async readQuotas(project) {
      if (project.settings.rateLimits.length === 0) return [];
      try {
        const tag = { sender, slot: "none", number: 0 };
        const call = encodeAppendCall({ project, events: [], isAtomic: false }, tag);
        return (await appendEvents(call, false)).quotas;
      } catch (thrown) {
        throw toReadError(thrown);
      }
    },
    async count(project) {
      try {
        return await readConnection.xlen(projectKeys(project.name).events);
      } catch (thrown) {
        throw toReadError(thrown);
      }
    },
    async drain() {
      while (pendingCount > 0) {
        drained ??= Promise.withResolvers();
        await drained.promise;
      }
    },
    giveUp() {
      isGivenUp = true;
      for (const { queue } of queues.values()) queue.giveUp();
    },
  };
}

/**
 * A Redis that did not answer in time is given no more to do until it does: what it was never sent is certainly not
 * stored, and may be sent again.
 */
function reconnectOnSilence(redis: Redis, reachability: Reachability, appendEvents: AppendEvents): AppendEvents {
  return async (call, isAgain) => {
    try {
      return await appendEvents(call, isAgain);
    } catch (error) {
      const isSilent = error instanceof Error && error.message === "Command timed out";
      // The others that are with it time out now too.
      if (isSilent && reachability.isReachable()) {
        reachability.set(false);
        redis.disconnect(true);
      }
      throw error;
    }
  };
}
