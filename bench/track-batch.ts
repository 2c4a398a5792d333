import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Redis } from "ioredis";
import { TrackBatchRequestSchema, TrackBatchResponseSchema } from "../gen/sluice/v1/event_service_pb.ts";
import { type Project, settingDefaults } from "../src/domain/project.ts";
import { encodeAppendCall, loadAppendScript, segmentEventsDefault } from "../src/redis/append-events.ts";
import { planIndexes } from "../src/redis/index-plan.ts";
import { type Comparison, compare, runCallers } from "./support/compare.ts";
import { createBytesClient } from "./support/grpc-client.ts";
import { takeEncodedEvents, takeEvents } from "./support/real-events.ts";
import type { Subject } from "./support/subject.ts";

const eventsPerMessage = 100;
const streams = 4;
const callsInFlight = 8;

/** TrackBatch against the same append script, driven by ioredis alone with events that need no look. */
export async function benchTrackBatch(subject: Subject): Promise<Comparison> {
  const client = createBytesClient(subject.grpcAddress, subject.key);
  const redis = new Redis(subject.redisSocket);
  const append = loadAppendScript(redis);
  const project: Project = { name: "bench", settings: settingDefaults };
  let number = 0;

  let messages: Buffer[] = [];
  let calls: { keys: readonly string[]; args: (string | number | Buffer)[] }[] = [];
  const options = { plan: planIndexes([]), segmentEvents: segmentEventsDefault, isAgain: false };
  const takeCall = () => {
    const chunk = { project, events: takeChunk(), isAtomic: false };
    const call = encodeAppendCall(chunk, { sender: "bench", slot: ++number % callsInFlight, number });
    return { keys: call.keys, args: call.toArgs(options) };
  };
  const prepareOurs = (forMs: number) => {
    messages = Array.from({ length: (forMs / 1000) * 1500 }, takeMessage);
  };
  const prepareBaseline = (forMs: number) => {
    // They are taken from the end, and a slot's calls have to come in order.
    calls = Array.from({ length: (forMs / 1000) * 2500 }, takeCall).reverse();
  };

  async function runOurs(forMs: number): Promise<number> {
    const endMs = performance.now() + forMs;
    const next = () => (performance.now() < endMs ? (messages.pop() ?? takeMessage()) : undefined);
    const responses = await Promise.all(Array.from({ length: streams }, () => client.stream(next)));
    return responses.reduce((sum, bytes) => sum + acceptedCount(bytes), 0);
  }

  function runBaseline(forMs: number): Promise<number> {
    return runCallers(callsInFlight, forMs, async () => {
      const { keys, args } = calls.pop() ?? takeCall();
      await append(keys, args);
      return eventsPerMessage;
    });
  }

  try {
    return await compare(
      `TrackBatch, gRPC, ${eventsPerMessage} events a message`,
      "events",
      { name: "Sluice", server: subject.server, prepare: prepareOurs, run: runOurs },
      { name: "the append script through ioredis", prepare: prepareBaseline, run: runBaseline },
    );
  } finally {
    client.close();
    redis.disconnect();
  }
}

function takeMessage(): Buffer {
  const request = create(TrackBatchRequestSchema, { events: takeEvents(eventsPerMessage) });
  return Buffer.from(toBinary(TrackBatchRequestSchema, request));
}

function takeChunk() {
  return takeEncodedEvents(eventsPerMessage).map(({ id, bytes }) => ({
    event: { id, bytes, isIdAssigned: false, isTimeAbsent: false, isTest: false },
    entrance: "grpc" as const,
  }));
}

function acceptedCount(bytes: Buffer): number {
  return Number(fromBinary(TrackBatchResponseSchema, bytes).acceptedCount);
}
