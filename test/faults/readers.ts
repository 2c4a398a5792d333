import { setTimeout as sleep } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Event } from "../../gen/sluice/v1/event_pb.ts";
import { type ListEventsRequestSchema, Order } from "../../gen/sluice/v1/event_service_pb.ts";
import type { ListedEvent, Pass } from "./checker.ts";
import type { EventClient, EventClients } from "./event-clients.ts";
import type { RecordedHistory } from "./history.ts";
import { digestEvent, markOf } from "./sample-events.ts";
import type { SeededRandom } from "./seeded-random.ts";

/** Pages through what a request asks for. Rejects when a page does. */
export async function listPages(
  client: EventClient,
  request: MessageInitShape<typeof ListEventsRequestSchema>,
): Promise<Event[]> {
  const events: Event[] = [];
  for (let pageToken = ""; ; ) {
    const page = await client.listEvents({ ...request, pageToken }, { timeoutMs: 10_000 });
    events.push(...page.events);
    if (page.nextPageToken === "") return events;
    pageToken = page.nextPageToken;
  }
}

/** An event as the checker knows it. */
export function toListed(event: Event): ListedEvent {
  return { mark: markOf(event), id: event.id, cursor: event.cursor, digest: digestEvent(event) };
}

/** What a reader works with. */
export interface ReaderDeps {
  /** Of the server as it runs now. */
  readonly clients: () => EventClients;
  readonly history: RecordedHistory;
  readonly random: SeededRandom;
  readonly stop: AbortSignal;
}

/** Pages through everything again and again while it grows, until it is stopped. A page that fails is asked for again. */
export async function runReader({ clients, history, random, stop }: ReaderDeps): Promise<Pass[]> {
  const passes: Pass[] = [];
  while (!stop.aborted) {
    const acceptedBefore = history.count("accepted");
    const cursors: string[] = [];
    let isComplete = false;
    for (let pageToken = ""; !isComplete && !stop.aborted; ) {
      const { connect, grpc } = clients();
      const request = { order: Order.OLDEST_FIRST, pageSize: random.between(100, 1000), pageToken };
      const page = await (random.chance(0.5) ? connect : grpc)
        .listEvents(request, { timeoutMs: 5_000 })
        .catch(() => undefined);
      if (page !== undefined) {
        cursors.push(...page.events.map(({ cursor }) => cursor));
        pageToken = page.nextPageToken;
        isComplete = pageToken === "";
      }
      await sleep(random.between(1, 15), undefined, { signal: stop }).catch(() => {});
    }
    passes.push({ cursors, isComplete, acceptedBefore });
  }
  return passes;
}
