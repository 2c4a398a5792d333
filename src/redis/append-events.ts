import type { Redis } from "ioredis";
import type { Position } from "../domain/cursor.ts";
import type { Entrance } from "../domain/entrance.ts";
import type { EventToAppend } from "../domain/ports.ts";
import type { Project } from "../domain/project.ts";
import type { Quota, RateLimit } from "../domain/quota.ts";
import { delayUntil, toQuota } from "../domain/quota.ts";
import { makeEpoch } from "./data-set.ts";
import { encodeEvents } from "./encode-events.ts";
import { encodeTerms } from "./encode-terms.ts";
import type { IndexPlan } from "./index-plan.ts";
import { createIndexPlans, IndexPlanChanged, storedPlanOf } from "./index-plans.ts";
import { projectKeys } from "./keys.ts";
import type { Script } from "./scripts.ts";
import { loadScript } from "./scripts.ts";

/** An event of a chunk, with where it came in. */
export interface ChunkEvent {
  readonly event: EventToAppend;
  readonly entrance: Entrance;
}

/** The events of one script call. */
export interface Chunk {
  readonly project: Project;
  readonly events: readonly ChunkEvent[];
  /** All or none are added; then no id may be there twice. */
  readonly isAtomic: boolean;
}

/**
 * Says which call it is, so that Redis can tell one that is sent again, or comes late, from a new one. A sender has one
 * call in a slot at a time, and numbers them upwards.
 */
export interface CallTag {
  /** Unique among all senders, and different after a restart. */
  readonly sender: string;
  readonly slot: number | string;
  readonly number: number;
}

/** What the append script did with one event. `known` events are in the log at this position already. */
export type ChunkOutcome =
  | { readonly kind: "added"; readonly position: Position }
  | { readonly kind: "known"; readonly position: Position; readonly isSamePayloadHash: boolean }
  /** No token left for it. */
  | { readonly kind: "throttled" }
  /** The project holds as many events as it may. */
  | { readonly kind: "full" }
  /** It could have been added, if not for another one of an atomic chunk. */
  | { readonly kind: "withheld" };

/** What became of a chunk, index-aligned, and what its project's rate limits had left then. */
export interface ChunkReply {
  readonly outcomes: readonly ChunkOutcome[];
  readonly quotas: readonly Quota[];
  /** How long until there are so many tokens: each caller waits for its own events, not for those it shared a chunk with. */
  delayMsUntil(tokens: number): number;
}

/** A chunk as the script takes it: encoded once, however often it is sent. */
export interface AppendCall {
  readonly project: Project;
  readonly number: number;
  readonly keys: readonly string[];
  readonly limits: readonly RateLimit[];
  readonly eventCount: number;
  toArgs(options: AppendArgsOptions): (string | number | Buffer)[];
}

export interface AppendArgsOptions {
  readonly plan: IndexPlan;
  /** How many events a segment of the indexes has. */
  readonly segmentEvents: number;
  /** Whether the call was sent before. */
  readonly isAgain: boolean;
}

/**
 * Appends a chunk in one script call. Rejects as ioredis does; with IndexPlanChanged when nothing was done because
 * another plan holds than the one that was known: the next call is made by that one.
 */
export type AppendEvents = (call: AppendCall, isAgain: boolean) => Promise<ChunkReply>;

/** How many events a segment of the indexes has. */
export const segmentEventsDefault = 1_000_000;

export function createAppendEvents(redis: Redis, segmentEvents = segmentEventsDefault): AppendEvents {
  const script = loadAppendScript(redis);
  const plans = createIndexPlans();
  return async (call, isAgain) => {
    const plan = plans.planOf(call.project);
    try {
      return parseReply(await script(call.keys, call.toArgs({ plan, segmentEvents, isAgain })), call);
    } catch (thrown) {
      const stored = storedPlanOf(thrown);
      if (stored === undefined) throw thrown;
      plans.learn(call.project, stored);
      throw new IndexPlanChanged();
    }
  };
}

/** The script alone, for those who have the arguments ready. */
export function loadAppendScript(redis: Redis): Script {
  return loadScript(redis, "append-events", 7, ["id-buckets"]);
}

/** What to call the script with for a chunk. One without events only tells what the rate limits have left. */
export function encodeAppendCall({ project, events, isAtomic }: Chunk, tag: CallTag): AppendCall {
  const keys = projectKeys(project.name);
  const { dedupeWindowMs, eventsMax, rateLimits } = project.settings;
  const epoch = makeEpoch();
  const limitsText = rateLimits.map(({ events: tokens, perMs }) => `${tokens}:${perMs * 1000}`).join(" ");
  const given = encodeEvents(events);
  let terms: { readonly plan: IndexPlan; readonly encoded: Buffer } | undefined;
  return {
    project,
    number: tag.number,
    keys: [
      keys.events,
      keys.meta,
      keys.ids,
      keys.quotas,
      `${keys.replies}:${tag.sender}:${tag.slot}`,
      keys.segments,
      keys.index,
    ],
    limits: rateLimits,
    eventCount: events.length,
    toArgs({ plan, segmentEvents, isAgain }) {
      if (terms?.plan !== plan) terms = { plan, encoded: encodeTerms(plan, events) };
      const ofCall = [tag.number, isAgain ? 1 : 0, isAtomic ? 1 : 0, dedupeWindowMs, eventsMax ?? 0, limitsText];
      const ofIndexes = [plan.text, plan.ids.join(" "), segmentEvents, terms.encoded];
      return [...ofCall, epoch, events.length, ...ofIndexes, given];
    },
  };
}

function parseReply(reply: unknown, { limits, eventCount }: AppendCall): ChunkReply {
  const [epoch, first, outcomes, positions, refillText] = Array.isArray(reply) ? reply : [];
  if (![epoch, first, outcomes, positions, refillText].every(Buffer.isBuffer) || outcomes.length !== eventCount) {
    throw new Error("append-events.lua gave an unknown reply");
  }
  const refillsUs = limits.length === 0 ? [] : refillText.toString("latin1").split(" ").map(Number);
  return {
    outcomes: parseOutcomes(epoch.toString("latin1"), first.toString("latin1"), outcomes, positions),
    quotas: limits.map((limit, i) => toQuota(limit, refillsUs[i] ?? 0)),
    delayMsUntil: (tokens) => delayUntil(limits, refillsUs, tokens),
  };
}

function parseOutcomes(epoch: string, first: string, outcomes: Buffer, positions: Buffer): ChunkOutcome[] {
  const [ms = 0, firstSeq = 0] = first.split("-").map(Number);
  let seq = firstSeq;
  let offset = 0;
  const readKnown = (isSamePayloadHash: boolean): ChunkOutcome => {
    const position = { epoch, ms: positions.readUIntBE(offset, 6), seq: positions.readUIntBE(offset + 6, 6) };
    offset += 12;
    return { kind: "known", position, isSamePayloadHash };
  };
  return Array.from(outcomes.values(), (code): ChunkOutcome => {
    switch (code) {
      case codes.added:
        return { kind: "added", position: { epoch, ms, seq: seq++ } };
      case codes.same:
        return readKnown(true);
      case codes.other:
        return readKnown(false);
      case codes.throttled:
        return { kind: "throttled" };
      case codes.full:
        return { kind: "full" };
      case codes.withheld:
        return { kind: "withheld" };
      default:
        throw new Error("append-events.lua gave an unknown outcome");
    }
  });
}

const codes = {
  added: "a".charCodeAt(0),
  same: "d".charCodeAt(0),
  other: "c".charCodeAt(0),
  throttled: "t".charCodeAt(0),
  full: "f".charCodeAt(0),
  withheld: "w".charCodeAt(0),
} as const;
