import { setTimeout as sleep } from "node:timers/promises";
import type { Event } from "../../gen/sluice/v1/event_pb.ts";
import type { EventClients } from "./event-clients.ts";
import type { Answer, RecordedHistory } from "./history.ts";
import { type Offer, offerAtomically, offerByTrack, offerByTrackBatch, offerByTrackMany } from "./offer.ts";
import { createSampleEvents, digestEvent, markOf } from "./sample-events.ts";
import type { SeededRandom } from "./seeded-random.ts";

/** How one writer sends. */
interface WriterKind {
  readonly name: string;
  readonly client: keyof EventClients;
  /** Events of one call at most. */
  readonly events: number;
  readonly offer: Offer;
  /** Stores all events of a call or none. */
  readonly isAtomic?: boolean;
  /** Sends events without ids, each once, whatever becomes of it: only the server itself can send them again safely. */
  readonly isWithoutIds?: boolean;
}

/** Each RPC over each protocol that carries it. */
const writerKinds: readonly WriterKind[] = [
  { name: "track", client: "grpc", events: 1, offer: offerByTrack },
  { name: "track-http1", client: "connectHttp1", events: 1, offer: offerByTrack },
  { name: "many", client: "grpc", events: 25, offer: offerByTrackMany },
  { name: "many-connect", client: "connect", events: 25, offer: offerByTrackMany },
  { name: "many-http1", client: "connectHttp1", events: 25, offer: offerByTrackMany },
  { name: "atomic", client: "connect", events: 25, offer: offerAtomically, isAtomic: true },
  { name: "batch", client: "grpc", events: 120, offer: offerByTrackBatch(25) },
  { name: "batch-http", client: "grpcOverHttp", events: 120, offer: offerByTrackBatch(60) },
  { name: "batch-connect", client: "connect", events: 120, offer: offerByTrackBatch(7) },
  { name: "track-no-id", client: "grpc", events: 1, offer: offerByTrack, isWithoutIds: true },
  { name: "track-no-id-connect", client: "connect", events: 1, offer: offerByTrack, isWithoutIds: true },
  { name: "track-no-id-http1", client: "connectHttp1", events: 1, offer: offerByTrack, isWithoutIds: true },
  { name: "many-no-ids", client: "grpc", events: 10, offer: offerByTrackMany, isWithoutIds: true },
  { name: "many-no-ids-connect", client: "connect", events: 10, offer: offerByTrackMany, isWithoutIds: true },
  { name: "many-no-ids-http", client: "grpcOverHttp", events: 10, offer: offerByTrackMany, isWithoutIds: true },
];

/** What writers work with. */
export interface WriterDeps {
  /** Of the server as it runs now. */
  readonly clients: () => EventClients;
  readonly history: RecordedHistory;
  readonly random: SeededRandom;
  /** No call is begun after it; those that are under way are waited for. */
  readonly stop: AbortSignal;
}

/** Names of all writers. */
export const writerNames: readonly string[] = writerKinds.map(({ name }) => name);

/** Names of those whose events have no ids. */
export const withoutIds: ReadonlySet<string> = new Set(
  writerKinds.flatMap(({ name, isWithoutIds }) => (isWithoutIds ? [name] : [])),
);

/** Runs all writers until they are stopped; resolves when the last call has ended, at most 10 s later. */
export async function runWriters(deps: WriterDeps): Promise<void> {
  await Promise.all(writerKinds.map((kind) => runWriter(kind, { ...deps, random: deps.random.fork(kind.name) })));
}

/** How long a caller waits who is in no hurry. */
const callTimeoutMs = 10_000;

async function runWriter(kind: WriterKind, deps: WriterDeps): Promise<void> {
  const { name, client, events, offer, isAtomic = false, isWithoutIds = false } = kind;
  const { clients, history, random, stop } = deps;
  const samples = createSampleEvents(name);
  const make = isWithoutIds ? samples.makeWithoutId : samples.make;

  function call(batch: readonly Event[]): Promise<readonly Answer[]> {
    // Now and then a caller does not wait for the answer.
    const timeoutMs = random.chance(0.02) ? random.between(1, 50) : callTimeoutMs;
    const offered = batch.map((event) => ({ mark: markOf(event), digest: digestEvent(event) }));
    return history.record(name, offered, () => offer(clients()[client], batch, timeoutMs), { timeoutMs, isAtomic });
  }

  while (!stop.aborted) {
    let batch = Array.from({ length: random.between(1, events) }, () =>
      random.chance(0.01) ? samples.makeInvalid() : make(),
    );
    while (batch.length > 0 && !stop.aborted) {
      const answers = await call(batch);
      const open = batch.filter((_, i) => isOpen(answers[i]));
      if (open.length > 0) await pause(random.between(20, 150), stop);
      if (isWithoutIds || (open.length === 0 && !random.chance(0.1))) break;
      // Most is sent again; what is given up stays refused or unknown.
      if (open.length > 0 && random.chance(0.2)) break;
      // All of it again: what was stored must be told its first cursor.
      if (open.length > 0 && !isAtomic && random.chance(0.7)) batch = open;
    }
    await pause(random.between(0, 8), stop);
  }
}

/** Whether to send an event again may help. */
function isOpen(answer: Answer | undefined): boolean {
  if (answer === undefined) return true;
  return "reason" in answer && !(answer.kind === "refused" && settled.has(answer.reason));
}

const settled = new Set(["EVENT_INVALID", "ID_CONFLICT"]);

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}
