import type { Client } from "@connectrpc/connect";
import fc from "fast-check";
import type { Redis } from "ioredis";
import type { EventService } from "../../gen/sluice/v1/event_service_pb.ts";
import { projectKeys } from "../../src/redis/keys.ts";
import { createTrimEvents } from "../../src/redis/maintenance/trim-events.ts";
import { arbitraryInit } from "./arbitrary-filters.ts";
import type { EventInit } from "./events.ts";
import { ReadModel } from "./read-model.ts";

/** What happens to a project. */
export type Change =
  | { readonly kind: "write"; readonly inits: readonly EventInit[] }
  /** What is older than the event at this share of all goes, as far as it fills nodes of the stream. */
  | { readonly kind: "trim"; readonly share: number }
  /** What is written next is in another segment of the indexes. */
  | { readonly kind: "begin a segment" };

const write: fc.Arbitrary<Change> = fc.record({
  kind: fc.constant("write" as const),
  inits: fc.array(arbitraryInit, { minLength: 1, maxLength: 8, size: "max" }),
});
/** From 0 to 1, both as often as any other. */
export const arbitraryShare: fc.Arbitrary<number> = fc.constantFrom(...Array.from({ length: 21 }, (_, i) => i / 20));

const trim: fc.Arbitrary<Change> = fc.record({
  kind: fc.constant("trim" as const),
  share: arbitraryShare,
});
const beginSegment: fc.Arbitrary<Change> = fc.constant({ kind: "begin a segment" });

/** Mostly writes. */
export const arbitraryChange: fc.Arbitrary<Change> = fc.oneof(
  { arbitrary: write, weight: 7 },
  { arbitrary: trim, weight: 2 },
  { arbitrary: beginSegment, weight: 2 },
);

/** A project of a server that runs, and the model of it: what is done to one is done to the other. */
export interface ModelledProject {
  readonly model: ReadModel;
  /** Resolves when it is done. */
  apply(change: Change): Promise<void>;
}

export interface ModelledProjectDeps {
  readonly name: string;
  readonly key: string;
  readonly client: Client<typeof EventService>;
  /** A connection to the server's own Redis. */
  readonly redis: Redis;
}

/** A project that nobody else writes to, and that is empty. */
export function createModelledProject({ name, key, client, redis }: ModelledProjectDeps): ModelledProject {
  const model = new ReadModel();
  const keys = projectKeys(name);
  const trimEvents = createTrimEvents(redis);
  const headers = { authorization: `Bearer ${key}` };
  return {
    model,
    async apply(change) {
      switch (change.kind) {
        case "write": {
          const { results } = await client.trackMany({ events: [...change.inits] }, { headers });
          for (const [i, { id, cursor }] of results.entries()) model.add(id, change.inits[i] ?? {}, cursor);
          break;
        }
        case "trim": {
          const { length } = model.events;
          const cutoffMs = model.events[Math.min(length - 1, Math.floor(change.share * length))]?.position.ms;
          if (cutoffMs === undefined) return;
          for (let isMore = true; isMore; ) {
            const trimmed = await trimEvents(keys, cutoffMs, 0);
            model.trim(trimmed.count, cutoffMs);
            isMore = trimmed.isMore;
          }
          break;
        }
        default:
          await redis.hset(keys.meta, "segment", "");
      }
    },
  };
}
