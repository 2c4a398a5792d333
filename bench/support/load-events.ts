import type { Redis } from "ioredis";
import { type Project, settingDefaults } from "../../src/domain/project.ts";
import { encodeAppendCall, loadAppendScript, segmentEventsDefault } from "../../src/redis/append-events.ts";
import { planIndexes } from "../../src/redis/index-plan.ts";
import { type DataSet, indexedProperties } from "./data-sets.ts";

const chunkEvents = 500;
const slots = 4;

/**
 * Stores a data set, straight through the append script, with these properties indexed. Resolves with whether all of it
 * was stored in time.
 */
export async function loadEvents(
  redis: Redis,
  { name, eventCount, eventAt }: DataSet,
  withinMs: number,
  properties = indexedProperties,
): Promise<boolean> {
  const append = loadAppendScript(redis);
  const project: Project = { name, settings: { ...settingDefaults, indexedProperties: properties } };
  const options = { plan: planIndexes(properties), segmentEvents: segmentEventsDefault, isAgain: false };
  const startMs = performance.now();
  const inFlight = new Set<Promise<unknown>>();
  let stored = 0;
  let toldMs = startMs;
  for (let number = 1; stored < eventCount; number++) {
    const events = Array.from({ length: Math.min(chunkEvents, eventCount - stored) }, (_, i) => {
      const event = { ...eventAt(stored + i), isIdAssigned: false, isTimeAbsent: false, isTest: false };
      return { event, entrance: "grpc" as const };
    });
    stored += events.length;
    const tag = { sender: "load", slot: number % slots, number };
    const { keys, toArgs } = encodeAppendCall({ project, events, isAtomic: false }, tag);
    const call: Promise<unknown> = append(keys, toArgs(options)).finally(() => inFlight.delete(call));
    inFlight.add(call);
    if (inFlight.size === slots) await Promise.race(inFlight);
    const nowMs = performance.now();
    if (nowMs - toldMs > 5000 || stored === eventCount) {
      toldMs = nowMs;
      const perSecond = Math.round((stored / (nowMs - startMs)) * 1000);
      process.stderr.write(`${name}: ${stored} of ${eventCount} events stored, ${perSecond}/s\n`);
    }
    if (nowMs - startMs > withinMs) break;
  }
  await Promise.all(inFlight);
  return stored === eventCount;
}
