import type { Redis } from "ioredis";
import type { RejectedEvent, RejectedEvents, RejectedRange, RejectedSlice } from "../domain/ports.ts";
import type { Project } from "../domain/project.ts";
import { projectKeys } from "./keys.ts";
import { encodeRejected, parseRejected } from "./rejected-entry.ts";
import { toReadError } from "./storage-error.ts";

export interface RejectedEventsOptions {
  /** For writes: made by createWriteConnection. Only its settings are used, for a connection of the same kind. */
  readonly writeConnection: Redis;
  readonly readConnection: Redis;
  /** Told, once a second at most, why some could not be kept. */
  readonly onLost: (cause: unknown) => void;
}

/** RejectedEvents that can be emptied before their connections are closed. */
export interface RedisRejectedEvents extends RejectedEvents {
  /** Resolves when nothing is on its way any more. */
  drain(): Promise<void>;
  /** Closes the connection that it made. */
  close(): void;
}

/** How many are kept of a project: exactly, so that a list never shows more. */
const keptMax = 10_000;

/** How many writes are on their way at most; what comes then is only counted, and the count goes with the next write. */
const writesInFlight = 100;

/** What one command reads at most: 2 MB at the very worst. */
const entriesMax = 200;

// Their positions are in page tokens only. One from a data set that is gone does no harm: the list goes on from its time.
const epoch = "rejected----";

/**
 * The rejected events in Redis: a stream and a counter for each project. They are written through a connection of their
 * own, so that they never stand before an append, and no command is sent twice: a count would count double. Resolves when
 * that is there, or its first attempt has failed, after which others follow.
 */
export async function openRejectedEvents({
  writeConnection,
  readConnection,
  onLost,
}: RejectedEventsOptions): Promise<RedisRejectedEvents> {
  const writer = writeConnection.duplicate();
  // That Redis is away, the connection for appends tells.
  writer.on("error", () => {});
  await writer.connect().catch(() => {});
  const counts = new Map<string, number>();
  const pending = new Set<Promise<void>>();
  let inFlight = 0;
  let toldAtMs = Number.NEGATIVE_INFINITY;

  function tell(cause: unknown): void {
    const nowMs = performance.now();
    if (nowMs - toldAtMs < 1000) return;
    toldAtMs = nowMs;
    onLost(cause);
  }

  function count(project: string, omittedCount: number): void {
    if (omittedCount > 0) counts.set(project, (counts.get(project) ?? 0) + omittedCount);
  }

  /** Sends events, and what was counted meanwhile. What fails is lost: whether it was carried out is not known. */
  function send(project: string, events: readonly RejectedEvent[]): void {
    const keys = projectKeys(project);
    const omittedCount = counts.get(project) ?? 0;
    counts.delete(project);
    const writes = writer.pipeline();
    for (const event of events) writes.xadd(keys.rejected, "MAXLEN", keptMax, "*", ...encodeRejected(event));
    if (omittedCount > 0) writes.incrby(keys.rejectedCount, omittedCount);
    const { length } = writes;
    inFlight += length;
    const written = writes
      .exec()
      .then((replies) => {
        const error = replies?.find(([fault]) => fault !== null)?.[0];
        if (error) tell(error);
      }, tell)
      .then(() => {
        inFlight -= length;
        pending.delete(written);
        for (const counted of counts.keys()) if (inFlight < writesInFlight) send(counted, []);
      });
    pending.add(written);
  }

  async function readSlice(project: Project, { after, countMax }: RejectedRange): Promise<RejectedSlice> {
    const keys = projectKeys(project.name);
    const wanted = Math.min(countMax, entriesMax);
    let bound = after === undefined ? "+" : `(${after.ms}-${after.seq}`;
    for (;;) {
      const [omittedCount, entries] = await Promise.all([
        readConnection.get(keys.rejectedCount),
        readConnection.xrevrange(keys.rejected, bound, "-", "COUNT", wanted),
      ]);
      const events = entries.flatMap(([id, fields]) => {
        const event = parseRejected(fields);
        return event === undefined ? [] : [{ ...event, position: toPosition(id) }];
      });
      const isEnd = entries.length < wanted;
      // A reader goes on behind the last event, so there has to be one unless that is the end.
      if (isEnd || events.length > 0) return { events, isEnd, omittedCount: Number(omittedCount ?? 0) };
      bound = `(${entries.at(-1)?.[0]}`;
    }
  }

  return {
    keep({ name }, events, omittedCount) {
      const room = Math.max(0, writesInFlight - inFlight);
      const kept = events.slice(0, room);
      count(name, omittedCount + events.length - kept.length);
      if (room > 0 && (kept.length > 0 || counts.has(name))) send(name, kept);
    },
    async read(project, range) {
      try {
        return await readSlice(project, range);
      } catch (thrown) {
        throw toReadError(thrown);
      }
    },
    async drain() {
      while (pending.size > 0) await Promise.all(pending);
    },
    close: () => writer.disconnect(),
  };
}

function toPosition(id: string): { epoch: string; ms: number; seq: number } {
  const dash = id.indexOf("-");
  return { epoch, ms: Number(id.slice(0, dash)), seq: Number(id.slice(dash + 1)) };
}
