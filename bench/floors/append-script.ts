import type { Redis } from "ioredis";
import { type Project, settingDefaults } from "../../src/domain/project.ts";
import { encodeAppendCall, loadAppendScript, segmentEventsDefault } from "../../src/redis/append-events.ts";
import { planIndexes } from "../../src/redis/index-plan.ts";
import { projectKeys } from "../../src/redis/keys.ts";
import type { Contender } from "../support/compare.ts";
import { takeEncodedEvents } from "../support/real-events.ts";
import type { BenchRedis } from "../support/redis-server.ts";
import { runCallers } from "../support/run-callers.ts";
import { createStoredCheck } from "../support/stored-check.ts";
import { rateLimit } from "../support/subject.ts";
import { createSupply } from "../support/supply.ts";

/** What it is appended to: a project of its own. */
export const floorKeys = "*{floor}:*";

const callsInFlight = 8;
const options = { plan: planIndexes([]), segmentEvents: segmentEventsDefault, isAgain: false };

/** The floor of TrackBatch: its append script, driven by ioredis alone with calls that are ready to be sent. */
export async function createAppendScript(redis: BenchRedis, commands: Redis, chunkEvents: number): Promise<Contender> {
  const project: Project = { name: "floor", settings: { ...settingDefaults, rateLimits: [rateLimit] } };
  const append = loadAppendScript(commands);
  let number = 0;
  const calls = createSupply(() => {
    const events = takeEncodedEvents(chunkEvents).map(({ id, bytes }) => ({
      event: { id, bytes, isIdAssigned: false, isTimeAbsent: false, isTest: false },
      entrance: "grpc",
    }));
    const tag = { sender: "bench", slot: ++number % callsInFlight, number };
    const { keys, toArgs } = encodeAppendCall({ project, events, isAtomic: false }, tag);
    return { keys, args: toArgs(options) };
  });
  return {
    name: "the append script through ioredis, ready-made bytes",
    redis,
    prepare: calls.refill,
    run: (forMs) =>
      runCallers(callsInFlight, forMs, async () => {
        const { keys, args } = calls.take();
        await append(keys, args);
        return chunkEvents;
      }),
    verify: await createStoredCheck(commands, projectKeys(project.name).events),
  };
}
