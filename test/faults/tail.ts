import { setTimeout as sleep } from "node:timers/promises";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import type { EventClients } from "./event-clients.ts";
import { noAnswer } from "./offer.ts";
import { digestEvent } from "./sample-events.ts";
import type { SeededRandom } from "./seeded-random.ts";

/** An event as a tail gave it. */
export interface GivenEvent {
  readonly cursor: string;
  /** Of what its sender said. */
  readonly digest: string;
}

/** A tail that follows a project from its first event on, and goes on behind what it took whenever it ends. */
export interface Tail {
  /** All that it gave, in the order in which it did. */
  readonly given: readonly GivenEvent[];
  /** How often it went on behind the last cursor that it was told. */
  resumedCount(): number;
  /** Why it ended each time that it was not its reader who had enough. */
  readonly cuts: readonly string[];
  hasGiven(cursor: string): boolean;
  /** Its reader has patience from now on, and takes what comes at once: whatever it lacks then is not the reader's doing. */
  settle(): void;
  /** Resolves when it has ended for good. */
  stop(): Promise<void>;
}

export interface TailDeps {
  /** Of the server as it runs now. */
  readonly clients: () => EventClients;
  readonly random: SeededRandom;
}

/** A tail says something every 15 s at least; one that is silent for so long is given up. */
const silenceMs = 20_000;

/** What a cut is called that came of it. */
export const silent = "silent";

/** Begins it. Its reader is moody: now and then it hangs up, or reads nothing for a while. */
export function startTail({ clients, random }: TailDeps): Tail {
  const given: GivenEvent[] = [];
  const cursors = new Set<string>();
  const cuts: string[] = [];
  const stopping = new AbortController();
  let isSettled = false;
  let toldCursor = "";
  let resumedCount = 0;

  /** One call, until it ends or its reader has enough of it. */
  async function follow(): Promise<void> {
    const ending = new AbortController();
    const client = clients()[random.pick(["grpc", "grpcOverHttp", "connect", "connectHttp1"] as const)];
    const request =
      toldCursor === "" ? { filter: { receiveTimeFrom: timestampFromMs(0) } } : { afterCursor: toldCursor };
    const patience = random.between(1, 60);
    let watchdog = watch();
    let responseCount = 0;

    function watch(): NodeJS.Timeout {
      return setTimeout(() => ending.abort(silent), silenceMs);
    }

    if (toldCursor !== "") resumedCount++;
    try {
      const signal = AbortSignal.any([ending.signal, stopping.signal]);
      for await (const { events, cursor } of client.tailEvents(request, { signal })) {
        clearTimeout(watchdog);
        const isEnough = ++responseCount >= patience && !isSettled;
        // Now and then it does not even get to the end of what has come.
        const takenCount = isEnough && random.chance(0.7) ? random.between(0, events.length) : events.length;
        for (const event of events.slice(0, takenCount)) {
          given.push({ cursor: event.cursor, digest: digestEvent(event) });
          cursors.add(event.cursor);
          toldCursor = event.cursor;
        }
        if (takenCount === events.length) toldCursor = cursor;
        if (stopping.signal.aborted || isEnough) break;
        if (!isSettled && random.chance(0.1)) await pause(random.between(1, 200));
        watchdog = watch();
      }
    } catch (thrown) {
      if (!stopping.signal.aborted) cuts.push(ending.signal.reason === silent ? silent : reasonOf(thrown));
    } finally {
      clearTimeout(watchdog);
      ending.abort();
    }
  }

  async function pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: stopping.signal }).catch(() => {});
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await follow();
      await pause(random.between(1, 50));
    }
  }

  const running = run();
  return {
    given,
    resumedCount: () => resumedCount,
    cuts,
    hasGiven: (cursor) => cursors.has(cursor),
    settle() {
      isSettled = true;
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

function reasonOf(thrown: unknown): string {
  const [info] = ConnectError.from(thrown).findDetails(ErrorInfoSchema);
  return info?.reason ?? noAnswer;
}
