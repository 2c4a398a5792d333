import { afterEach, describe, expect, it } from "vitest";
import type { Project } from "../../../src/domain/project.ts";
import { createWriteConnection, waitUntilReady } from "../../../src/redis/connection.ts";
import { type Maintenance, startMaintenance } from "../../../src/redis/maintenance/maintenance.ts";
import { captureLog } from "../../support/captured-log.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { useRedis } from "../../support/use-redis.ts";
import { waitUntil } from "../../support/wait-until.ts";
import { createIndexedProject, everyIndex, segmentEvents } from "./indexed-project.ts";

const dayMs = 24 * 60 * 60 * 1000;
const nodeEvents = 10;
const server = useRedis({ args: ["--stream-node-max-entries", `${nodeEvents}`] });
const redis = server.connect();

const started: Maintenance[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((maintenance) => maintenance.stop()));
});

/** Maintenance that rests in no time, and between its looks until the clock is advanced. */
async function start(projects: readonly Project[], log = captureLog()) {
  const connection = createWriteConnection(server.socketPath, log.logger);
  await waitUntilReady(connection, 5000);
  const clock = createFakeClock({ nowMs: Date.now() });
  const limits = { intervalMs: 5000, segmentEventsMax: segmentEvents };
  const rests = new AbortController();
  rests.abort();
  const patient = {
    ...clock,
    wait: (ms: number, signal: AbortSignal) => clock.wait(ms, ms === limits.intervalMs ? signal : rests.signal),
  };
  const maintenance = startMaintenance({
    redis: connection,
    readProjects: () => projects,
    logger: log.logger,
    clock: patient,
    limits,
  });
  started.push(maintenance);
  return {
    log,
    maintenance,
    messages: () => log.lines.map((line): string => JSON.parse(line).msg),
    /** Resolves when it has looked at all once more. */
    async look() {
      await waitUntil(() => clock.waiting() === 2);
      clock.advance(limits.intervalMs);
      await waitUntil(() => clock.waiting() === 2);
    },
    untilResting: () => waitUntil(() => clock.waiting() === 2),
    async close() {
      await maintenance.stop();
      connection.disconnect();
    },
  };
}

function agesOf(count: number, ageMs: number): string[] {
  const startMs = Date.now() - ageMs;
  return Array.from({ length: count }, (_, i) => `${startMs + i}-0`);
}

describe("startMaintenance", () => {
  it("removes what is too old from each project that has a retention, and logs it once", async () => {
    const short = createIndexedProject(redis, { retentionMs: 14 * dayMs });
    const long = createIndexedProject(redis, { retentionMs: 60 * dayMs });
    const all = createIndexedProject(redis);
    for (const { addBare } of [short, long, all]) await addBare([...agesOf(1205, 30 * dayMs), ...agesOf(20, dayMs)]);

    const { untilResting, log } = await start([short.project, long.project, all.project]);
    await untilResting();

    expect(await Promise.all([short, long, all].map(({ keys }) => redis.xlen(keys.events)))).toEqual([25, 1225, 1225]);
    const lines = log.containing("too old").map((line) => JSON.parse(line));
    const [[oldest] = []] = await redis.xrange(short.keys.events, "-", "+", "COUNT", 1);
    expect(lines).toMatchObject([{ project: short.project.name, trimmedCount: 1200, oldest }]);
  });

  it("has all events in the indexes that are configured, and goes on with each look", async () => {
    const indexed = createIndexedProject(redis, { indexedProperties: ["status"] });
    await indexed.addBare(agesOf(40, dayMs));

    const { untilResting, look } = await start([indexed.project]);
    await untilResting();
    expect((await indexed.readSegments()).map(([, ids]) => ids.length)).toEqual([3, 3, 3]);
    expect(await indexed.readBuckets()).toEqual(await indexed.modelBuckets());

    await redis.del(indexed.keys.segments, ...(await redis.keys(`${indexed.keys.index}:*`)));
    await look();
    expect(await indexed.readBuckets()).toEqual(await indexed.modelBuckets());
  });

  it("takes up new settings as soon as it is woken", async () => {
    const indexed = createIndexedProject(redis, { indexedProperties: ["status"] });
    await indexed.append(20);
    const { untilResting, maintenance, log } = await start([indexed.project]);
    await untilResting();

    indexed.project.settings = { ...indexed.project.settings, indexedProperties: [] };
    maintenance.wake();

    await waitUntil(async () => (await indexed.readBuckets()).size === (await indexed.modelBuckets()).size);
    await waitUntil(async () => (await indexed.readSegments()).every(([, ids]) => ids.length === everyIndex.length));
    const [line = ""] = log.containing("the indexed properties have changed");
    expect(JSON.parse(line)).toMatchObject({ project: indexed.project.name, added: [], removed: ["status"] });
  });

  it("leaves the plan to the server that was the last to load its configuration", async () => {
    const indexed = createIndexedProject(redis);
    await indexed.append(3);
    const first = await start([indexed.project]);
    await first.untilResting();
    const others = { ...indexed.project.settings, indexedProperties: ["status"] };
    const second = await start([{ name: indexed.project.name, settings: others }]);
    await second.untilResting();

    await first.look();

    expect(await redis.hget(indexed.keys.meta, "indexes")).toContain("status");
    expect(first.log.containing("have changed")).toEqual([]);
  });

  it("applies the plan again to another data set", async () => {
    const indexed = createIndexedProject(redis, { indexedProperties: ["status"] });
    await indexed.append(3);
    const { untilResting, look } = await start([indexed.project]);
    await untilResting();
    await redis.flushall();
    await indexed.addBare(["1-0"]);

    await look();

    expect(await redis.hget(indexed.keys.meta, "indexes")).toContain("status");
  });

  it("tells a fault once for each project until it is gone, and does the work of the others", async () => {
    const broken = createIndexedProject(redis, { retentionMs: 14 * dayMs });
    const sound = createIndexedProject(redis, { retentionMs: 14 * dayMs });
    await sound.addBare(agesOf(20, 30 * dayMs));
    await redis.set(broken.keys.meta, "of another type");
    await redis.set(broken.keys.segments, "of another type");
    const { untilResting, look, messages } = await start([broken.project, sound.project]);
    await untilResting();
    expect(await redis.xlen(sound.keys.events)).toBe(0);

    await look();
    await look();

    const faults = [
      "indexes could not be changed, or old events not be removed",
      "indexes could not be built or deleted",
    ];
    expect(
      messages()
        .filter((message) => faults.includes(message))
        .sort(),
    ).toEqual([...faults].sort());
    await redis.del(broken.keys.meta, broken.keys.segments);
    await look();
    await redis.set(broken.keys.meta, "of another type");
    await look();
    expect(messages().filter((message) => faults.includes(message))).toHaveLength(4);
  });

  it("says nothing more than its connection while Redis is away, and goes on when it is back", async () => {
    const indexed = createIndexedProject(redis, { retentionMs: 14 * dayMs });
    const { untilResting, look, messages } = await start([indexed.project]);
    await untilResting();
    await server.kill();
    await waitUntil(() => messages().includes("connection to Redis lost"));
    await look();
    await server.start();
    await waitUntil(() => messages().includes("connection to Redis is back"));
    await indexed.addBare(agesOf(20, 30 * dayMs));

    await look();

    expect(await redis.xlen(indexed.keys.events)).toBe(0);
    expect(messages().filter((message) => message.includes("could not"))).toEqual([]);
  });

  it("goes on with a build where another start left it", async () => {
    const indexed = createIndexedProject(redis, { indexedProperties: ["status"] });
    await indexed.addBare(agesOf(2000, dayMs));
    const first = await start([indexed.project]);
    await waitUntil(async () => (await redis.hlen(indexed.keys.segments)) > 2);
    await first.close();
    expect(await redis.exists(indexed.keys.lease)).toBe(0);
    expect(await redis.hlen(indexed.keys.segments)).toBeLessThan(125);

    const second = await start([indexed.project]);
    await second.untilResting();

    expect(await redis.hlen(indexed.keys.segments)).toBe(125);
    expect(await indexed.readBuckets()).toEqual(await indexed.modelBuckets());
    expect(
      first
        .messages()
        .concat(second.messages())
        .filter((message) => message.includes("could not")),
    ).toEqual([]);
  });
});
