import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import type { Position } from "../domain/cursor.ts";
import { isBefore } from "../domain/cursor.ts";
import { SluiceError } from "../domain/errors.ts";
import { withOwnBytes } from "../domain/own-bytes.ts";
import type { EventLog, ReadSlice, WaitOptions } from "../domain/ports.ts";
import type { Project } from "../domain/project.ts";
import { createLiveWaiters } from "./live-waiters.ts";
import { createRecentEvents } from "./recent-events.ts";

/** A project whose new events are read once, for all tails that wait for them. */
export interface FollowedProject {
  readonly epoch: string;
  /** Whether a tail at this position can wait without a read of its own: nothing is behind it but what is read here. */
  reaches(after: Position): boolean;
  /**
   * Resolves with what is behind a position: at once when that is among the recent events, else as soon as it is read.
   * The tail has to be reached, or to have found nothing behind its position a moment ago. With an empty slice when the
   * time is up or the signal aborted, and with undefined when the project is no longer followed: the tail then has to
   * find out for itself what there is, or what is wrong.
   */
  wait(after: Position, options: WaitOptions): Promise<ReadSlice | undefined>;
  /**
   * The stream has grown: reads on if anybody waits. Resolves when there is a slice, or at once when there is none for a
   * while, as many have just been woken; never rejects.
   */
  ring(): Promise<void>;
  /** Looks whether the data set is still there, unless that was done a moment ago or nobody waits. */
  look(): void;
  /** How much the recent events may take in memory, in bytes. */
  limitRecent(bytesMax: number): void;
  /** Ends every wait, with a slice or with undefined; nothing is read any more. */
  end(slice?: ReadSlice): void;
}

export interface FollowedProjectOptions {
  readonly project: Project;
  /** Its first tail waits here. */
  readonly start: Position;
  readonly read: EventLog["read"];
  readonly recentBytesMax: number;
  readonly lookEveryMs: number;
  /** Asks for `ring` when the stream has an event behind this position. */
  readonly listen: (after: Position) => void;
  /** Called when it should no longer be followed: nobody has waited for a while, or it cannot be read on. */
  readonly onOver: () => void;
}

/** What one read asks for. */
export const liveCountMax = 1000;

/** How long a project is followed after its last tail has gone: most come back. */
const followedWithoutTailsMs = 10_000;

const pauseMs = 200;

/**
 * How long nothing is read after so many have been woken, so that they are woken for more at a time: a thousand tails
 * twenty times a second, and not for each event. To wake one costs more than to look at a hundred events.
 */
function restMsAfter(wokenCount: number): number {
  return wokenCount < restFromCount ? 0 : Math.min(restMsMost, wokenCount * restMsEach);
}

const restFromCount = 20;
const restMsEach = 0.05;
const restMsMost = 100;

export function createFollowedProject(options: FollowedProjectOptions): FollowedProject {
  const { project, start, read, lookEveryMs, listen, onOver } = options;
  const waiters = createLiveWaiters();
  const recent = createRecentEvents(start, options.recentBytesMax);
  // What is behind it has been given to nobody. It may go back at any time, as no waiter takes what is before its position.
  let head = start;
  let reading: Promise<void> | undefined;
  let restsUntilMs = 0;
  let isMoreKnown = false;
  let isEnded = false;
  let lookedAtMs = performance.now();
  let idle: NodeJS.Timeout | undefined;

  function readOn(): Promise<void> {
    reading ??= rest()
      .then(readSlice)
      .then((isEnd) => {
        reading = undefined;
        if (isEnded) return;
        isMoreKnown = !isEnd;
        if (isEnd) listen(head);
        else if (waiters.count() > 0) void readOn();
      });
    return reading;
  }

  const isResting = () => performance.now() < restsUntilMs;

  async function rest(): Promise<void> {
    if (isResting()) await new Promise((resolve) => setTimeout(resolve, restsUntilMs - performance.now()));
  }

  /** Reads a slice and hands it out. Resolves with whether the doorbell is to tell when to go on. */
  async function readSlice(): Promise<boolean> {
    const from = head;
    lookedAtMs = performance.now();
    try {
      const slice = await read(project, { order: "oldest-first", after: from, countMax: liveCountMax });
      // A tail that waits further back has joined meanwhile: to go on behind this slice would pass over what it needs.
      if (head !== from) return false;
      const events = slice.events.map(withOwnBytes);
      const last = events.at(-1);
      if (last !== undefined && !isEnded) {
        head = last.position;
        recent.add(events);
        const wokenCount = await waiters.give({ ...slice, events });
        // Where more is behind it there is nothing to wait for.
        if (slice.isEnd) restsUntilMs = performance.now() + restMsAfter(wokenCount);
      }
      return slice.isEnd;
    } catch (thrown) {
      if (thrown instanceof SluiceError && thrown.reason === "STORAGE_UNAVAILABLE") {
        await sleep(pauseMs, undefined, { ref: false });
      } else if (!isEnded) {
        onOver();
      }
      return true;
    }
  }

  return {
    epoch: start.epoch,
    reaches: (after) => after.epoch === start.epoch && (!isBefore(after, head) || recent.after(after) !== undefined),
    async wait(after, waitOptions) {
      const events = recent.after(after);
      if (events !== undefined) {
        const reached = events.at(-1)?.position ?? head;
        const isEnd = !isBefore(reached, head);
        // Those who lag look through thousands: they let others go first each time.
        await nextTurn();
        return { events, reached, scannedCount: events.length, isEnd };
      }
      if (isBefore(after, head)) {
        head = after;
        recent.restart(after);
        if (!isMoreKnown) listen(head);
      }
      clearTimeout(idle);
      const slice = await waiters.wait(after, waitOptions, isMoreKnown ? readOn() : undefined);
      if (waiters.count() === 0 && !isEnded) {
        clearTimeout(idle);
        idle = setTimeout(onOver, followedWithoutTailsMs).unref();
      }
      return slice;
    },
    async ring() {
      isMoreKnown = true;
      if (waiters.count() === 0) return;
      const isLater = isResting();
      const read = readOn();
      // The doorbell would keep silent for all other projects meanwhile.
      if (!isLater) await read;
    },
    look() {
      if (waiters.count() > 0 && performance.now() - lookedAtMs >= lookEveryMs) void readOn();
    },
    limitRecent: recent.limit,
    end(slice) {
      isEnded = true;
      clearTimeout(idle);
      waiters.release(slice);
    },
  };
}
