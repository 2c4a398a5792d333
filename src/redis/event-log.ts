import { randomBytes } from "node:crypto";
import type { Redis } from "ioredis";
import type { EventLog } from "../domain/ports.ts";
import type { Project } from "../domain/project.ts";
import { createAppendAtomically } from "./append-atomically.ts";
import { encodeAppendCall, segmentEventsDefault } from "./append-events.ts";
import { type AppendLane, createAppendLane } from "./append-lane.ts";
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
import { createReadEvents } from "./read-events.ts";
import { toReadError } from "./storage-error.ts";

export interface EventLogOptions {
  /** For scripts that append, shared out among the projects: made by createWriteConnection. One at least. */
  readonly writeConnections: readonly [Redis, ...Redis[]];
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

interface ProjectQueue {
  readonly queue: AppendQueue;
  readonly budget: QueueBudget;
  readonly lane: AppendLane;
}

/** The event log in Redis: appends by group commit, a queue for each project. */
export function createEventLog({
  writeConnections,
  readConnection,
  blockingConnection,
  rangeConnection,
  limits: given,
}: EventLogOptions): RedisEventLog {
  const limits = { ...limitDefaults, ...given };
  const lanes = writeConnections.map((connection) => createAppendLane(connection, limits.segmentEvents));
  const reader = createReadEvents(readConnection, rangeConnection);
  const live = createLiveEvents({ blockingConnection, readConnection, read: reader.read });
  const judge = createJudge(reader.readEntry);
  const sender = randomBytes(6).toString("base64url");
  const places = createChunkPlaces(limits.totalChunksInFlight);
  const totalBudget = createQueueBudget(limits.queueBytes);
  const queues = new Map<string, ProjectQueue>();
  let pendingCount = 0;
  let drained: PromiseWithResolvers<void> | undefined;
  let isGivenUp = false;

  function queueOf(project: Project): ProjectQueue {
    const known = queues.get(project.name);
    if (known !== undefined) return known;
    const lane = lanes[queues.size % lanes.length];
    if (lane === undefined) throw new Error("there is no connection to append over");
    const budget = createQueueBudget(limits.projectQueueBytes, totalBudget);
    const { resolveWaitMs } = limits;
    const chunkSender = createChunkSender({ ...lane, sender, resolveWaitMs });
    const { reachability } = lane;
    const queue = createAppendQueue({ sender: chunkSender, places, budget, reachability, limits });
    const entry = { queue, budget, lane };
    queues.set(project.name, entry);
    if (isGivenUp) queue.giveUp();
    return entry;
  }

  const appendEach: EventLog["append"] = async (project, entrance, events, options = {}) => {
    pendingCount++;
    try {
      const { outcomes, quotas } = await queueOf(project).queue.submit(project, entrance, events, options);
      const judged = judge(project, events, outcomes);
      return { results: Array.isArray(judged) ? judged : await judged, quotas };
    } finally {
      endPending();
    }
  };
  const appendInAttempts = createAppendAtomically(appendEach);
  /** It is pending also from one attempt to the next. */
  const appendAtomically: EventLog["append"] = async (project, entrance, events, options = {}) => {
    pendingCount++;
    try {
      return await appendInAttempts(project, entrance, events, options);
    } finally {
      endPending();
    }
  };

  function endPending(): void {
    if (--pendingCount > 0) return;
    drained?.resolve();
    drained = undefined;
  }

  return {
    append: (project, entrance, events, options) =>
      (options?.isAtomic ? appendAtomically : appendEach)(project, entrance, events, options),
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
        return (await queueOf(project).lane.appendEvents(call, false)).quotas;
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
