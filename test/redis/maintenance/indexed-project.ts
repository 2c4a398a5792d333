import { randomBytes } from "node:crypto";
import type { Redis } from "ioredis";
import type { Project, ProjectSettings } from "../../../src/domain/project.ts";
import { createAppendEvents, encodeAppendCall } from "../../../src/redis/append-events.ts";
import { encodeAdded, eventBytesOf } from "../../../src/redis/entry.ts";
import { parsePlan } from "../../../src/redis/index-plan.ts";
import { IndexPlanChanged } from "../../../src/redis/index-plans.ts";
import { visitTerms } from "../../../src/redis/index-terms.ts";
import { type ProjectKeys, projectKeys } from "../../../src/redis/keys.ts";
import { type EventInit, eventToAppend, newProject } from "../../support/events.ts";

/** A project with small segments, whose events differ in name, identity and property. */
export interface IndexedProject {
  readonly project: Project & { settings: ProjectSettings };
  readonly keys: ProjectKeys;
  /** Appends so many events as the server does, three at a time. */
  append(count: number): Promise<void>;
  /** Adds entries at these stream ids, as if they were from before there were indexes. */
  addBare(ids: readonly string[]): Promise<void>;
  /** The bases of the segments, the oldest first, each with the ids of its indexes. */
  readSegments(): Promise<[base: string, ids: string[]][]>;
  /** All buckets that there are. */
  readBuckets(): Promise<Map<string, string>>;
  /** The buckets that there should be, by what the segments list and the events hold. */
  modelBuckets(): Promise<Map<string, string>>;
}

export const segmentEvents = 16;

export function createIndexedProject(redis: Redis, settings: Partial<ProjectSettings> = {}): IndexedProject {
  const appendEvents = createAppendEvents(redis, segmentEvents);
  const project = { ...newProject(settings) };
  const keys = projectKeys(project.name);
  const sender = randomBytes(6).toString("hex");
  let number = 0;
  let eventNumber = 0;

  function nextEvent() {
    const n = eventNumber++;
    const init: EventInit = {
      name: `name ${n % 5}`,
      identities: { user: `u${n % 7}`, visitor: `v${n}` },
      properties: { status: n % 3, tags: ["all", n % 2 === 0 ? "even" : "odd"], other: "x" },
    };
    return eventToAppend(`e${n}`, init);
  }

  async function readSegments(): Promise<[string, string[]][]> {
    const fields = Object.entries(await redis.hgetall(keys.segments));
    return fields
      .map(([base, ids]): [string, string[]] => [base, ids.split(" ").filter(Boolean).sort()])
      .sort(([a], [b]) => compareIds(a, b));
  }

  return {
    project,
    keys,
    readSegments,
    async append(count) {
      for (let left = count; left > 0; ) {
        const events = Array.from({ length: Math.min(3, left) }, () => ({
          event: nextEvent(),
          entrance: "grpc" as const,
        }));
        left -= events.length;
        const call = encodeAppendCall({ project, events, isAtomic: false }, { sender, slot: 0, number: ++number });
        await appendEvents(call, false).catch(async (thrown) => {
          if (!(thrown instanceof IndexPlanChanged)) throw thrown;
          await appendEvents(call, false);
        });
      }
    },
    async addBare(ids) {
      for (const id of ids) {
        const event = nextEvent();
        await redis.xadd(keys.events, id, encodeAdded(event, "grpc"), Buffer.from(event.bytes));
      }
      await redis.hset(keys.meta, "epoch", "of-a-test");
    },
    async readBuckets() {
      const found = await redis.keys(`${keys.index}:*`);
      return new Map(
        await Promise.all(
          found
            .sort()
            .map(async (key): Promise<[string, string]> => [key, (await redis.getBuffer(key))?.toString("hex") ?? ""]),
        ),
      );
    },
    async modelBuckets() {
      const plan = parsePlan((await redis.hget(keys.meta, "indexes")) ?? "");
      const segments = await readSegments();
      const buckets = new Map<string, string>();
      for (const [id, fields] of await redis.xrangeBuffer(keys.events, "-", "+")) {
        const place = id.toString();
        const [base, listed] = segments.findLast(([start]) => compareIds(start, place) <= 0) ?? ["", []];
        visitTerms(plan, eventBytesOf(fields), (ordinal, term) => {
          const indexId = plan.ids[ordinal] ?? "";
          if (!listed.includes(indexId)) return;
          // By its first ten bits; that of the terms that stand for any is the last.
          const bucket = (term === 0 ? 1024 : Math.floor(term / 2 ** 22)).toString(36).padStart(2, "0");
          const key = `${keys.index}:${base}:${indexId}:${bucket}`;
          const fingerprint = (term % 2 ** 24).toString(16).padStart(6, "0");
          buckets.set(key, (buckets.get(key) ?? "") + placeHex(base, place) + fingerprint);
        });
      }
      return new Map([...buckets].sort(([a], [b]) => (a < b ? -1 : 1)));
    },
  };
}

/** The ids of the indexes that each project has. */
export const everyIndex = ["i", "n"];

function placeHex(base: string, place: string): string {
  const [baseMs = 0, baseSeq = 0] = base.split("-").map(Number);
  const [ms = 0, seq = 0] = place.split("-").map(Number);
  const offset = (ms - baseMs).toString(16).padStart(8, "0");
  return offset + (ms === baseMs ? seq - baseSeq : seq).toString(16).padStart(6, "0");
}

function compareIds(a: string, b: string): number {
  const [aMs = 0, aSeq = 0] = a.split("-").map(Number);
  const [bMs = 0, bSeq = 0] = b.split("-").map(Number);
  return aMs - bMs || aSeq - bSeq;
}
