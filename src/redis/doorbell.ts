import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import type { Position } from "../domain/cursor.ts";
import { isBefore } from "../domain/cursor.ts";

/** Tells which streams have grown: one connection blocks for all of them. */
export interface Doorbell {
  /**
   * Rings when the stream has an entry behind this position, or has one already; once, until it is listened to again.
   * Takes the place of what was asked for the stream before. It may ring in vain, and never fails to ring.
   */
  listen(stream: string, after: Position): void;
  ignore(stream: string): void;
  /** Nothing rings any more. The connection is left alone. */
  close(): void;
}

export interface DoorbellOptions {
  /** For this alone: made by createBlockingConnection. */
  readonly blockingConnection: Redis;
  readonly readConnection: Redis;
  /** How long one command blocks at most: the connection's time-out has to be longer. */
  readonly blockMs: number;
  /**
   * Called each time that the command has ended, with the streams that have grown, if any. Nothing rings until it has
   * resolved: streams that are listened to again by then cost no command more. It never rejects.
   */
  readonly onRound: (grown: readonly string[]) => Promise<void>;
}

/** One blocking command: what it listens to, and which of Redis' clients it is. */
interface Round {
  readonly streams: ReadonlyMap<string, Position>;
  readonly clientId: Promise<number>;
  isInterrupted: boolean;
}

/** After a fault, so that one that stays, such as a key of another type, does not keep Redis busy. */
const pauseMs = 200;

/** How long an interruption that came before the command it is for waits to come again. */
const interruptAgainMs = 5;

export function createDoorbell({ blockingConnection, readConnection, blockMs, onRound }: DoorbellOptions): Doorbell {
  const listened = new Map<string, Position>();
  let round: Round | undefined;
  let isRunning = false;
  let isClosed = false;

  async function run(): Promise<void> {
    isRunning = true;
    while (listened.size > 0 && !isClosed) {
      const grown = await block();
      for (const stream of grown) listened.delete(stream);
      await onRound(grown);
    }
    isRunning = false;
  }

  /** Resolves with the streams that have grown; with none when it took too long, was interrupted, or failed. */
  async function block(): Promise<string[]> {
    const streams = new Map(listened);
    // Sent with the command that blocks, so that it is certainly of the same connection.
    const one = { streams, clientId: blockingConnection.client("ID"), isInterrupted: false };
    one.clientId.catch(() => {});
    round = one;
    try {
      const ids = [...streams.values()].map(({ ms, seq }) => `${ms}-${seq}`);
      const names = [...streams.keys()];
      // The entry that comes along is thrown away. Of several streams, each that has grown before sends one.
      const reply = await blockingConnection.xreadBuffer("COUNT", 1, "BLOCK", blockMs, "STREAMS", ...names, ...ids);
      return (reply ?? []).map(([name]) => name.toString());
    } catch {
      round = undefined;
      // The loss of Redis is told by the connection itself.
      await sleep(pauseMs, undefined, { ref: false });
      return [];
    } finally {
      round = undefined;
    }
  }

  /** Ends a round that does not listen to all that it should; tries again until it has ended. */
  async function interrupt(one: Round): Promise<void> {
    if (one.isInterrupted) return;
    one.isInterrupted = true;
    while (round === one) {
      try {
        if ((await readConnection.client("UNBLOCK", await one.clientId)) === 1) return;
        await sleep(interruptAgainMs, undefined, { ref: false });
      } catch {
        // Not allowed, or Redis is away: the round ends by itself before long.
        await sleep(pauseMs, undefined, { ref: false });
      }
    }
  }

  return {
    listen(stream, after) {
      if (isClosed) return;
      listened.set(stream, after);
      if (!isRunning) void run();
      else if (round !== undefined && !isListeningTo(round, stream, after)) void interrupt(round);
    },
    ignore(stream) {
      listened.delete(stream);
    },
    close() {
      isClosed = true;
      listened.clear();
    },
  };
}

/** Whether it rings when there is something behind the position: it may listen from an earlier one on. */
function isListeningTo({ streams }: Round, stream: string, after: Position): boolean {
  const from = streams.get(stream);
  return from !== undefined && !isBefore(after, from);
}
