import type { Redis } from "ioredis";
import type { Position } from "../domain/cursor.ts";
import { SluiceError } from "../domain/errors.ts";
import type { EventLog } from "../domain/ports.ts";
import type { Project } from "../domain/project.ts";
import { blockMsMax } from "./connection.ts";
import { createDoorbell } from "./doorbell.ts";
import { createFollowedProject, type FollowedProject, liveCountMax } from "./followed-project.ts";
import { projectKeys } from "./keys.ts";
import { nothing } from "./live-waiters.ts";
import { createSharedReads } from "./shared-reads.ts";

export interface LiveEventsOptions {
  /** For the command that blocks, and nothing else: made by createBlockingConnection. Closed with the live events. */
  readonly blockingConnection: Redis;
  readonly readConnection: Redis;
  /** Reads a slice of what is stored. */
  readonly read: EventLog["read"];
  /** How long the command blocks, in ms: a data set that is gone is noticed within twice this time. Default 5,000. */
  readonly blockMs?: number;
}

/** Serves all tails of a server. */
export interface LiveEvents {
  readonly readLive: EventLog["readLive"];
  /** Ends every wait with an empty slice, and closes the blocking connection; later calls throw SHUTTING_DOWN. */
  close(): void;
}

/** What the recent events of one project, and of all, may take in memory. */
const projectRecentBytes = 4 << 20;
const recentBytes = 32 << 20;

/**
 * Reads new events once for all tails: a tail that lags reads with those that stand where it does, in turn with others
 * that search, until it has come to the recent events, which are kept in memory, or to the head, where it waits. One blocking command rings for all projects that are waited for;
 * then one read gets what is new in a project, and all who wait share it.
 */
export function createLiveEvents({
  blockingConnection,
  readConnection,
  read,
  blockMs = blockMsMax,
}: LiveEventsOptions): LiveEvents {
  const followed = new Map<string, FollowedProject>();
  const readShared = createSharedReads(read, liveCountMax);
  let isClosed = false;
  const doorbell = createDoorbell({
    blockingConnection,
    readConnection,
    blockMs,
    async onRound(grown) {
      await Promise.all(grown.map((stream) => followed.get(stream)?.ring()));
      // The doorbell is deaf to a data set that is gone.
      for (const one of followed.values()) one.look();
    },
  });

  function follow(project: Project, stream: string, after: Position): FollowedProject {
    const found = followed.get(stream);
    if (found?.epoch === after.epoch) return found;
    unfollow(stream);
    const one = createFollowedProject({
      project,
      start: after,
      read,
      recentBytesMax: projectRecentBytes,
      lookEveryMs: blockMs / 2,
      listen: (position) => doorbell.listen(stream, position),
      onOver: () => unfollow(stream),
    });
    followed.set(stream, one);
    shareMemory();
    doorbell.listen(stream, after);
    return one;
  }

  function unfollow(stream: string): void {
    const one = followed.get(stream);
    followed.delete(stream);
    doorbell.ignore(stream);
    one?.end();
  }

  function shareMemory(): void {
    const bytesMax = Math.min(projectRecentBytes, recentBytes / followed.size);
    for (const one of followed.values()) one.limitRecent(bytesMax);
  }

  function close(): void {
    if (isClosed) return;
    isClosed = true;
    doorbell.close();
    for (const one of followed.values()) one.end(nothing);
    followed.clear();
    blockingConnection.disconnect();
  }

  // Whoever closes the connection ends the waits too.
  blockingConnection.once("end", close);

  return {
    async readLive(project, after, { waitMs, signal }) {
      const stream = projectKeys(project.name).events;
      const endsAtMs = performance.now() + waitMs;
      for (;;) {
        if (!followed.get(stream)?.reaches(after)) {
          const slice = await readShared(project, after, signal);
          if (slice.events.length > 0 || !slice.isEnd) return slice;
        }
        if (isClosed) throw new SluiceError("SHUTTING_DOWN", "the server is shutting down");
        const leftMs = Math.max(0, endsAtMs - performance.now());
        const slice = await follow(project, stream, after).wait(after, { waitMs: leftMs, signal });
        if (slice !== undefined) return slice;
      }
    },
    close,
  };
}
