import { create, toBinary } from "@bufbuild/protobuf";
import { Redis } from "ioredis";
import { EventSchema } from "../gen/sluice/v1/event_pb.ts";
import { type Project, settingDefaults } from "../src/domain/project.ts";
import { encodeAppendCall, loadAppendScript, segmentEventsDefault } from "../src/redis/append-events.ts";
import { planIndexes } from "../src/redis/index-plan.ts";
import { projectKeys } from "../src/redis/keys.ts";
import { termsIndex } from "./index-cost.ts";
import type { Subject } from "./support/subject.ts";

const idCount = 1_000_000;
const chunkEvents = 500;
const slots = 4;

/** Bytes of Redis' memory that remembering an id takes: what a million events take beyond the stream that they are in. */
export async function measureIdMemory({ redisSocket }: Subject): Promise<number> {
  const redis = new Redis(redisSocket);
  try {
    const append = loadAppendScript(redis);
    const project: Project = { name: "id-memory", settings: settingDefaults };
    const bytes = toBinary(EventSchema, create(EventSchema, { name: "n" }));
    const before = await usedMemory(redis);
    const inFlight = new Set<Promise<unknown>>();
    for (let number = 1; number <= idCount / chunkEvents; number++) {
      const events = Array.from({ length: chunkEvents }, (_, i) => ({
        event: { id: `${number}/${i}`, isIdAssigned: false, bytes, isTimeAbsent: true, isTest: false },
        entrance: "grpc" as const,
      }));
      const tag = { sender: "id-memory", slot: number % slots, number };
      const appendCall = encodeAppendCall({ project, events, isAtomic: false }, tag);
      const args = appendCall.toArgs({ plan: planIndexes([]), segmentEvents: segmentEventsDefault, isAgain: false });
      // Without terms, no index grows beside the ids.
      args[termsIndex] = Buffer.alloc(0);
      const call: Promise<unknown> = append(appendCall.keys, args).finally(() => inFlight.delete(call));
      inFlight.add(call);
      if (inFlight.size === slots) await Promise.race(inFlight);
    }
    await Promise.all(inFlight);
    const stream = await redis.memory("USAGE", projectKeys(project.name).events, "SAMPLES", 0);
    return ((await usedMemory(redis)) - before - Number(stream)) / idCount;
  } finally {
    redis.disconnect();
  }
}

async function usedMemory(redis: Redis): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await redis.info("memory"))?.[1]);
}
