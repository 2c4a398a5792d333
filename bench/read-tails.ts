import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { EventSchema } from "../gen/sluice/v1/event_pb.ts";
import {
  TailEventsRequestSchema,
  TailEventsResponseSchema,
  TrackManyRequestSchema,
  TrackManyResponseSchema,
} from "../gen/sluice/v1/event_service_pb.ts";
import type { Finding } from "./support/finding.ts";
import { type BytesClient, createBytesClient } from "./support/grpc-client.ts";
import { quantile } from "./support/quantile.ts";
import type { ReadSubject } from "./support/read-subject.ts";
import { keyOf } from "./support/subject.ts";

/** The projects that are tailed. */
export const tailedProjects: readonly string[] = Array.from({ length: 100 }, (_, i) => `tailed-${i}`);

/** Who tails what, while events are tracked at an even pace. */
interface TailLoad {
  readonly what: string;
  /** They are tracked to in turn. */
  readonly projects: readonly string[];
  readonly tailsPerProject: number;
  /** Of so many events in a call, the last has the name that is tailed; absent: all events are. */
  readonly isNamed: boolean;
  readonly eventsPerCall: number;
}

const eventsPerSecond = 2000;
const forMs = 4000;
const settleMs = 10_000;
const tailsPerConnection = 100;

const loads: readonly TailLoad[] = [
  {
    what: "1,000 tails of one project, for a name that 1 event in 200 has",
    projects: tailedProjects.slice(0, 1),
    tailsPerProject: 1000,
    isNamed: true,
    eventsPerCall: 200,
  },
  {
    what: "100 tails of one project, for everything",
    projects: tailedProjects.slice(0, 1),
    tailsPerProject: 100,
    isNamed: false,
    eventsPerCall: 50,
  },
  {
    what: "100 tails of 100 projects, for everything",
    projects: tailedProjects,
    tailsPerProject: 1,
    isNamed: false,
    eventsPerCall: 20,
  },
];

/** How long after its answer to the tracker an event is with those who tail, and whether all of them got all. */
export async function benchTails(subject: ReadSubject): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const load of loads) {
    process.stderr.write(`${load.what}\n`);
    findings.push(await measure(subject, load));
  }
  return findings;
}

/** What one tail got. */
interface Tail {
  readonly project: string;
  received: number;
}

async function measure(subject: ReadSubject, load: TailLoad): Promise<Finding> {
  const clients: BytesClient[] = [];
  const open = (project: string) => {
    const client = createBytesClient(subject.grpcAddress, keyOf(project));
    clients.push(client);
    return client;
  };
  const tails: Tail[] = [];
  const receipts: { id: string; atMs: number }[] = [];
  const answers = new Map<string, number>();
  const tracked = new Map<string, number>();
  try {
    const request = encodeTail(load.isNamed ? { filter: { names: [tailedName] } } : {});
    const begun: Promise<void>[] = [];
    for (const project of load.projects) {
      let client = open(project);
      for (let i = 0; i < load.tailsPerProject; i++) {
        if (i > 0 && i % tailsPerConnection === 0) client = open(project);
        const tail: Tail = { project, received: 0 };
        tails.push(tail);
        const receive = (answer: Buffer) => {
          const { eventCount, firstId } = readAnswer(answer);
          tail.received += eventCount;
          if (firstId !== undefined) receipts.push({ id: firstId, atMs: performance.now() });
        };
        begun.push(client.tail(request, receive));
      }
    }
    await Promise.all(begun);

    const trackers = load.projects.map((project) => ({ project, client: open(project) }));
    const startMs = performance.now();
    const cpuBefore = subject.server.cpuUs();
    const calls: Promise<void>[] = [];
    const total = (eventsPerSecond * forMs) / 1000 / load.eventsPerCall;
    for (let number = 0; number < total; number++) {
      const dueMs = startMs + (number * load.eventsPerCall * 1000) / eventsPerSecond;
      await untilMs(dueMs);
      const tracker = trackers[number % trackers.length];
      if (tracker !== undefined) calls.push(track(tracker.client, tracker.project));
    }
    await Promise.all(calls);
    const tookMs = performance.now() - startMs;
    const share = (subject.server.cpuUs() - cpuBefore) / 1000 / tookMs;
    const endMs = performance.now() + settleMs;
    while (performance.now() < endMs && !isAllReceived()) await untilMs(performance.now() + 10);
    return toFinding(tookMs, share);
  } finally {
    for (const client of clients) client.close();
  }

  async function track(client: BytesClient, project: string): Promise<void> {
    const ids = Array.from({ length: load.eventsPerCall }, () => `tailed-${++lastEvent}`);
    const bytes = await client.call("TrackMany", encodeTrack(ids));
    const atMs = performance.now();
    const accepted = fromBinary(TrackManyResponseSchema, bytes).results.filter(({ cursor }) => cursor !== "").length;
    if (accepted !== ids.length) throw new Error(`${ids.length - accepted} events were not stored`);
    for (const id of ids) answers.set(id, atMs);
    tracked.set(project, (tracked.get(project) ?? 0) + (load.isNamed ? 1 : ids.length));
  }

  function isAllReceived(): boolean {
    return tails.every(({ project, received }) => received === tracked.get(project));
  }

  function toFinding(tookMs: number, share: number): Finding {
    // What a tail has before the tracker has its answer came at once.
    const delays = receipts.map(({ id, atMs }) => Math.max(0, atMs - (answers.get(id) ?? 0)));
    const received = tails.reduce((sum, tail) => sum + tail.received, 0);
    const perSecond = Math.round((answers.size / tookMs) * 1000);
    const [p50, p99] = [quantile(delays, 0.5), quantile(delays, 0.99)].map((ms) => ms.toFixed(1));
    return {
      what: `${load.what}, while ${perSecond} events/s are tracked`,
      figures: `p50 ${p50} ms, p99 ${p99} ms behind the answer, ${received} received, ${share.toFixed(2)} cores`,
      mustHold: "all get all",
      holds: isAllReceived(),
    };
  }
}

const tailedName = "tailed";
let lastEvent = 0;

async function untilMs(dueMs: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueMs - performance.now())));
}

function encodeTail(init: MessageInitShape<typeof TailEventsRequestSchema>): Buffer {
  return Buffer.from(toBinary(TailEventsRequestSchema, create(TailEventsRequestSchema, init)));
}

function encodeTrack(ids: readonly string[]): Buffer {
  const events = ids.map((id, i) => ({ id, name: i === ids.length - 1 ? tailedName : "other", value: i }));
  return Buffer.from(toBinary(TrackManyRequestSchema, create(TrackManyRequestSchema, { events })));
}

/** An answer's events, of which only the first is looked at: it has waited longest. */
function readAnswer(answer: Uint8Array): { eventCount: number; firstId: string | undefined } {
  const reader = new BinaryReader(answer);
  let eventCount = 0;
  let firstId: string | undefined;
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field !== TailEventsResponseSchema.field.events.number) {
      reader.skip(wireType);
    } else if (eventCount++ > 0) {
      reader.skip(wireType);
    } else {
      firstId = readId(reader.bytes());
    }
  }
  return { eventCount, firstId };
}

function readId(event: Uint8Array): string | undefined {
  const reader = new BinaryReader(event);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === EventSchema.field.id.number) return reader.string();
    reader.skip(wireType);
  }
  return undefined;
}
