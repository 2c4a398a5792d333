import type { Redis } from "ioredis";
import type { Position } from "../../src/domain/cursor.ts";
import type { EventLog, ReadSlice } from "../../src/domain/ports.ts";
import type { Project } from "../../src/domain/project.ts";
import { createBlockingConnection, createReadConnection, waitUntilReady } from "../../src/redis/connection.ts";
import { encodeAdded } from "../../src/redis/entry.ts";
import { projectKeys } from "../../src/redis/keys.ts";
import type { LiveEvents } from "../../src/redis/live-events.ts";
import { createLiveEvents } from "../../src/redis/live-events.ts";
import { createReadEvents } from "../../src/redis/read-events.ts";
import { captureLog } from "./captured-log.ts";
import { eventToAppend } from "./events.ts";

export interface OpenLiveOptions {
  /** How long the command blocks. Default: longer than any test, so that nothing happens because it is over. */
  readonly blockMs?: number;
  /** How many events one read returns at most. Default: what is asked for. */
  readonly readMax?: number;
  /** The connection that blocks. Default: one that is never given up, however long nothing comes. */
  readonly blockingConnection?: Redis;
}

/** Live events with connections of their own. */
export interface OpenLiveEvents extends AsyncDisposable {
  readonly live: LiveEvents;
  readonly blockingConnection: Redis;
  readonly readConnection: Redis;
  /** How many reads were made, by tails and for all who wait. */
  readCount(): number;
  /** Waits for what is behind a position: 10 s, unless that is said. */
  next(project: Project, after: Position, waitMs?: number, signal?: AbortSignal): Promise<ReadSlice>;
}

/** Opens the live events of the Redis at this address. */
export async function openLiveEvents(address: string, options: OpenLiveOptions = {}): Promise<OpenLiveEvents> {
  const { blockMs = 60_000, readMax = 1000, blockingConnection = patientConnection(address) } = options;
  const readConnection = createReadConnection(address, captureLog().logger);
  await Promise.all([blockingConnection, readConnection].map((connection) => waitUntilReady(connection, 5000)));
  const reader = createReadEvents(readConnection);
  let readCount = 0;
  const read: EventLog["read"] = (project, range) => {
    readCount++;
    return reader.read(project, { ...range, countMax: Math.min(range.countMax, readMax) });
  };
  const live = createLiveEvents({ blockingConnection, readConnection, read, blockMs });
  return {
    live,
    blockingConnection,
    readConnection,
    readCount: () => readCount,
    next: (project, after, waitMs = 10_000, signal = new AbortController().signal) =>
      live.readLive(project, after, { waitMs, signal }),
    async [Symbol.asyncDispose]() {
      live.close();
      readConnection.disconnect();
    },
  };
}

function patientConnection(address: string): Redis {
  return createBlockingConnection(address, captureLog().logger).duplicate({ socketTimeout: 120_000 });
}

/** Writes the stream of one project as the append script does, but one event at a time, and without its checks. */
export interface StreamWriter {
  readonly project: Project;
  /** The beginning of the data set. */
  readonly start: Position;
  /** Begins a data set, in place of the one that was there, if any. */
  begin(epoch: string): Promise<void>;
  /** Stores an event under each of these ids, all at once. */
  add(...ids: string[]): Promise<void>;
  addLarge(id: string, bytes: number): Promise<void>;
}

export async function createStreamWriter(redis: Redis, project: Project): Promise<StreamWriter> {
  const keys = projectKeys(project.name);
  const epoch = "live-epoch-1";
  const xadd = (id: string, padding = "") => {
    const event = eventToAppend(id, { name: `click${padding}` });
    return ["xadd", keys.events, "*", encodeAdded(event, "grpc"), Buffer.from(event.bytes)];
  };
  const writer: StreamWriter = {
    project,
    start: { epoch, ms: 0, seq: 0 },
    async begin(name) {
      await redis.hset(keys.meta, "epoch", name);
    },
    async add(...ids) {
      await redis.multi(ids.map((id) => xadd(id))).exec();
    },
    async addLarge(id, bytes) {
      await redis.multi([xadd(id, "x".repeat(bytes))]).exec();
    },
  };
  await writer.begin(epoch);
  return writer;
}
