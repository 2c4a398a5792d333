import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { planIndexes } from "../../../src/redis/index-plan.ts";
import { createApplyIndexes } from "../../../src/redis/maintenance/apply-indexes.ts";
import { createIndexing, type IndexingDeps } from "../../../src/redis/maintenance/indexing.ts";
import { wasLeaseLost } from "../../../src/redis/maintenance/lease.ts";
import { captureLog } from "../../support/captured-log.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { useRedis } from "../../support/use-redis.ts";
import { createIndexedProject, everyIndex, type IndexedProject, segmentEvents } from "./indexed-project.ts";

const server = useRedis();
const redis = server.connect();
const applyIndexes = createApplyIndexes(redis);
afterEach(() => redis.config("SET", "maxmemory", "0"));

const noRest = async () => {};

function openIndexing(deps: Partial<IndexingDeps> = {}) {
  const log = captureLog();
  const indexing = createIndexing({
    redis,
    clock: createFakeClock(),
    logger: log.logger,
    leaseMs: 30_000,
    segmentEventsMax: segmentEvents,
    recordBytesMax: 1 << 20,
    ...deps,
  });
  return { indexing, log };
}

/** Does all that there is to do. */
async function indexAll({ project }: IndexedProject, { indexing } = openIndexing()): Promise<void> {
  while (await indexing(project, noRest));
}

/** Has these properties indexed, and no others. */
function indexProperties({ keys }: IndexedProject, ...properties: string[]) {
  return applyIndexes(keys, planIndexes(properties));
}

/** Ids of the indexes of a plan with these properties. */
function idsOf(...properties: string[]): string[] {
  return [...planIndexes(properties).ids].sort();
}

async function expectWhole(indexed: IndexedProject, ...properties: string[]): Promise<void> {
  const { keys, readSegments, readBuckets, modelBuckets } = indexed;
  const [oldest] = (await redis.xrange(keys.events, "-", "+", "COUNT", 1))[0] ?? [];
  const segments = await readSegments();
  expect(segments[0]?.[0]).toBe(oldest);
  for (const [, ids] of segments) expect(ids).toEqual(idsOf(...properties));
  expect(await readBuckets()).toEqual(await modelBuckets());
  expect(await redis.exists(keys.droppedIndexes, keys.lease)).toBe(0);
}

function range(count: number, toId: (i: number) => string): string[] {
  return Array.from({ length: count }, (_, i) => toId(i));
}

describe("indexing", () => {
  it("has nothing to do where all events are in all indexes, and writes nothing then", async () => {
    const indexed = createIndexedProject(redis);
    await indexed.append(20);
    await redis.config("RESETSTAT");

    expect(await openIndexing().indexing(indexed.project, noRest)).toBe(false);

    expect(await redis.info("commandstats")).not.toMatch(/cmdstat_(set|sadd|hset|append|unlink)\b/);
    await expectWhole(indexed);
  });

  it("builds what an added index lacks, segment by segment, the newest first", async () => {
    const indexed = createIndexedProject(redis);
    await indexed.append(40);
    await indexProperties(indexed, "status");
    const { indexing } = openIndexing();
    const lackings: number[] = [];

    for (let isMore = true; isMore; ) {
      isMore = await indexing(indexed.project, noRest);
      const lists = (await indexed.readSegments()).map(([, ids]) => ids.length);
      lackings.push(lists.lastIndexOf(everyIndex.length));
    }

    expect(lackings).toEqual([1, 0, -1, -1]);
    await expectWhole(indexed, "status");
  });

  it("builds several indexes in one go", async () => {
    const indexed = createIndexedProject(redis);
    await indexed.append(10);
    await indexProperties(indexed, "status", "tags");

    await openIndexing().indexing(indexed.project, noRest);

    await expectWhole(indexed, "status", "tags");
  });

  it("leaves the segment that is added to as it is", async () => {
    const indexed = createIndexedProject(redis);
    await indexed.append(10);
    await indexProperties(indexed, "status");
    await indexed.append(5);

    await indexAll(indexed);
    await indexed.append(5);

    expect(await indexed.readSegments()).toHaveLength(2);
    await expectWhole(indexed, "status");
  });

  it("divides events from before there were indexes, as far back as there are any", async () => {
    const indexed = createIndexedProject(redis);
    await indexed.addBare(range(50, (i) => `${1000 + Math.floor(i / 3)}-${i % 3}`));
    await indexed.append(5);

    await indexAll(indexed);

    expect((await indexed.readSegments()).slice(0, -1).map(([base]) => base)).toEqual([
      "1000-0",
      "1000-2",
      "1006-0",
      "1011-1",
    ]);
    await expectWhole(indexed);
  });

  it("begins another segment where ms are too far apart for one", async () => {
    const indexed = createIndexedProject(redis);
    await indexed.addBare(["1-0", "2-5", "3-0", `${2 ** 32 + 2}-7`]);
    await indexProperties(indexed);

    await indexAll(indexed);

    expect((await indexed.readSegments()).map(([base]) => base)).toEqual(["1-0", "3-0"]);
    await expectWhole(indexed);
  });

  it("counts the seqs of the base's own ms from the base's", async () => {
    const indexed = createIndexedProject(redis);
    await indexed.addBare(range(20, (i) => `7-${2 ** 40 + i}`));
    await indexProperties(indexed);

    await indexAll(indexed);

    await expectWhole(indexed);
  });

  it("deletes what an index that was removed leaves, and has it built again when it is back", async () => {
    const indexed = createIndexedProject(redis, { indexedProperties: ["status"] });
    await indexed.append(20);
    await indexProperties(indexed);
    await indexAll(indexed);
    await expectWhole(indexed);

    await indexProperties(indexed, "status");
    await indexAll(indexed);

    await expectWhole(indexed, "status");
  });

  it("keeps an index that its segment has, though it is said to be deleted", async () => {
    const indexed = createIndexedProject(redis);
    await indexed.append(20);
    const [[base] = [""]] = await indexed.readSegments();
    await redis.sadd(indexed.keys.droppedIndexes, `${base}:n`);

    await indexAll(indexed);

    await expectWhole(indexed);
  });

  it("writes buckets in order when they take more memory than they may", async () => {
    const indexed = createIndexedProject(redis);
    await indexed.addBare(range(60, (i) => `${i + 1}-0`));
    await indexProperties(indexed, "status");

    await indexAll(indexed, openIndexing({ recordBytesMax: 0, segmentEventsMax: 1000 }));

    await expectWhole(indexed, "status");
  });

  it("reads past what is appended meanwhile", async () => {
    const indexed = createIndexedProject(redis);
    await indexed.addBare(range(30, (i) => `${i + 1}-0`));
    await indexProperties(indexed);

    await openIndexing().indexing(indexed.project, () => indexed.append(1));
    await indexAll(indexed);

    await expectWhole(indexed);
  });

  it("lists nothing when another plan holds by then, and leaves nothing behind", async () => {
    const indexed = createIndexedProject(redis);
    await indexed.append(10);
    await indexProperties(indexed, "status");

    await openIndexing().indexing(indexed.project, async () => void (await indexProperties(indexed, "tags")));
    expect((await indexed.readSegments())[0]?.[1]).toEqual(everyIndex);
    await indexAll(indexed);

    await expectWhole(indexed, "tags");
  });

  it("builds the indexes of a single event", async () => {
    const indexed = createIndexedProject(redis);
    await indexed.addBare(["1-0"]);
    await indexProperties(indexed, "status");
    await indexAll(indexed);

    await expectWhole(indexed, "status");
  });

  it("ends the same wherever it is broken off, and whatever is appended, added or removed before it goes on", async () => {
    const arbitraryRun = fc.record({
      /** After how many steps it is broken off. */
      steps: fc.nat(40),
      /** Whether as by a crash, which leaves the lease. */
      isCrash: fc.boolean(),
      appendCount: fc.nat(10),
      properties: fc.subarray(["status", "tags"]),
    });
    await fc.assert(
      fc.asyncProperty(fc.nat(40), fc.nat(40), fc.array(arbitraryRun, { maxLength: 5 }), async (bare, count, runs) => {
        const indexed = createIndexedProject(redis);
        await indexed.addBare(range(bare + 1, (i) => `${i + 1}-${i % 2}`));
        await indexed.append(count);
        for (const { steps, isCrash, appendCount, properties } of runs) {
          await indexProperties(indexed, ...properties);
          await indexed.append(appendCount);
          const { indexing } = openIndexing({ recordBytesMax: 500 });
          let left = steps;
          const breakOff = async () => {
            if (left-- === 0) throw new Error("broken off");
          };
          try {
            while (await indexing(indexed.project, breakOff));
          } catch {
            if (isCrash) await redis.set(indexed.keys.lease, "of a server that is gone");
          }
          await redis.del(indexed.keys.lease);
        }
        await indexProperties(indexed, "status");
        await indexAll(indexed);
        await expectWhole(indexed, "status");
      }),
      { numRuns: 60 },
    );
  });

  it("keeps its lease however long it takes", async () => {
    const indexed = createIndexedProject(redis, { indexedProperties: ["tags"] });
    await indexed.append(20);
    await indexProperties(indexed, "status");
    const leftMs: number[] = [];

    await openIndexing().indexing(indexed.project, async () => {
      leftMs.push(await redis.pttl(indexed.keys.lease));
      await redis.pexpire(indexed.keys.lease, 10_000);
    });

    expect(leftMs.length).toBeGreaterThan(10);
    expect(Math.min(...leftMs)).toBeGreaterThan(10_000);
  });

  describe("by two servers", () => {
    it("is done by the one that has the lease", async () => {
      const indexed = createIndexedProject(redis);
      await indexed.append(30);
      await indexProperties(indexed, "status");
      const other = openIndexing({ redis: server.connect() });

      const { indexing } = openIndexing();
      await indexing(indexed.project, async () => {
        expect(await other.indexing(indexed.project, noRest)).toBe(false);
      });

      expect(other.log.lines).toEqual([]);
      await Promise.all([indexAll(indexed), indexAll(indexed, other)]);
      await indexAll(indexed);
      await expectWhole(indexed, "status");
    });

    it("is left to the one that took the lease when the other had lost it", async () => {
      const indexed = createIndexedProject(redis);
      await indexed.append(30);
      await indexProperties(indexed, "status");
      const other = openIndexing({ redis: server.connect() });
      let looks = 0;

      const lost = openIndexing().indexing(indexed.project, async () => {
        if (looks++ > 0) return;
        await redis.del(indexed.keys.lease);
        await indexAll(indexed, other);
      });

      await expect(lost).rejects.toSatisfy(wasLeaseLost);
      await expectWhole(indexed, "status");
    });
  });

  it("logs how far it is, at the beginning, every 10 s, and at the end of a segment", async () => {
    const indexed = createIndexedProject(redis);
    await indexed.addBare(range(1200, (i) => `${i + 1}-0`));
    await indexProperties(indexed, "status");
    const clock = createFakeClock();
    const { indexing, log } = openIndexing({ clock, segmentEventsMax: 1200 });

    await indexing(indexed.project, async () => clock.advance(5000));

    const lines = log.lines.map((line) => JSON.parse(line));
    const { name: project } = indexed.project;
    const told = { project, indexes: ["name", "identity", "status"] };
    expect(lines).toMatchObject([
      { ...told, msg: "building indexes", eventCount: 0, totalCount: 1200 },
      { ...told, msg: "still building indexes", eventCount: 110, totalCount: 1200 },
      { ...told, msg: "still building indexes", eventCount: 1110, totalCount: 1200 },
      { ...told, msg: "built indexes of a segment", eventCount: 1200, segment: "1-0" },
    ]);
  });

  it("rests after a build that failed, and still deletes what that left", async () => {
    const indexed = createIndexedProject(redis);
    await indexed.append(10);
    await indexProperties(indexed, "status");
    await redis.config("SET", "maxmemory", "1");
    const { indexing, log } = openIndexing();
    await expect(indexing(indexed.project, noRest)).rejects.toThrow(/^OOM/);
    const begun = log.lines.length;
    await redis.config("SET", "maxmemory", "0");
    await redis.sadd(indexed.keys.droppedIndexes, "1-0:n");

    let looks = 0;
    while (!(await indexing(indexed.project, noRest))) {
      looks++;
      expect(await redis.exists(indexed.keys.droppedIndexes)).toBe(0);
      expect(log.lines).toHaveLength(begun);
    }

    expect(looks).toBe(12);
    await expectWhole(indexed, "status");
  });
});
