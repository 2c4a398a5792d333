import { describe, expect, it } from "vitest";
import { createListRejectedEvents } from "../../src/domain/list-rejected-events.ts";
import { createPageTokens } from "../../src/domain/page-token.ts";
import type { RejectedEvent } from "../../src/domain/ports.ts";
import type { Project } from "../../src/domain/project.ts";
import { createReadConnection, createWriteConnection, waitUntilReady } from "../../src/redis/connection.ts";
import { projectKeys } from "../../src/redis/keys.ts";
import type { RedisRejectedEvents } from "../../src/redis/rejected-events.ts";
import { openRejectedEvents } from "../../src/redis/rejected-events.ts";
import { captureLog } from "../support/captured-log.ts";
import { newProject } from "../support/events.ts";
import { useCrashWatch } from "../support/use-crash-watch.ts";
import { useRedis } from "../support/use-redis.ts";
import { waitUntil } from "../support/wait-until.ts";

const redis = useRedis({ args: ["--maxmemory", "100mb"] });
useCrashWatch();

function rejectedEvent(id: string, overrides: Partial<RejectedEvent> = {}): RejectedEvent {
  return {
    rejectedAtMs: 1_700_000_000_000,
    entrance: "connect",
    id,
    environments: ["staging"],
    reason: "EVENT_INVALID",
    violation: { field: 'identities["user"]', message: "is required" },
    payload: '{"name":"💥 \\u0000"}',
    ...overrides,
  };
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => rejectedEvent(`${from + i}`));

async function open() {
  const { logger } = captureLog();
  const writeConnection = createWriteConnection(redis.socketPath, logger);
  const readConnection = createReadConnection(redis.socketPath, logger);
  await Promise.all([waitUntilReady(writeConnection, 5000), waitUntilReady(readConnection, 5000)]);
  const lost: unknown[] = [];
  const rejectedEvents = await openRejectedEvents({
    writeConnection,
    readConnection,
    onLost: (cause) => lost.push(cause),
  });
  return {
    rejectedEvents,
    lost,
    async [Symbol.asyncDispose]() {
      redis.resume();
      await rejectedEvents.drain();
      rejectedEvents.close();
      writeConnection.disconnect();
      readConnection.disconnect();
    },
  };
}

/** Whether a write gets through. */
async function keepsNow(rejectedEvents: RedisRejectedEvents, project: Project): Promise<boolean> {
  rejectedEvents.keep(project, [rejectedEvent("probe")], 0);
  await rejectedEvents.drain();
  return (await rejectedEvents.read(project, { countMax: 1 })).events.length === 1;
}

/** Keeps events, as many at a time as may be on their way. */
async function keepAll(rejectedEvents: RedisRejectedEvents, project: Project, events: readonly RejectedEvent[]) {
  for (let i = 0; i < events.length; i += 100) {
    rejectedEvents.keep(project, events.slice(i, i + 100), 0);
    await rejectedEvents.drain();
  }
}

/** What a client sees over all pages. */
async function listAll(rejectedEvents: RedisRejectedEvents, project: Project) {
  const tokens = createPageTokens(() => Buffer.alloc(32, 1));
  const list = createListRejectedEvents(rejectedEvents, tokens);
  const events: RejectedEvent[] = [];
  for (let pageToken = ""; ; ) {
    const page = await list({ project, environments: [] }, { pageSize: 1000, pageToken });
    events.push(...page.events);
    if (page.nextPageToken === "") return { events, omittedCount: page.omittedCount };
    pageToken = page.nextPageToken;
  }
}

describe("RejectedEvents in Redis", () => {
  it("hands back what was kept as it was, newest first, and how many were only counted", async () => {
    await using opened = await open();
    const { rejectedEvents } = opened;
    const project = newProject();
    const kept: RejectedEvent[] = [
      rejectedEvent("a"),
      rejectedEvent("", { environments: [], reason: "MALFORMED", violation: { field: "", message: "is no Event" } }),
      rejectedEvent("b\u2028", { entrance: "grpc-web", reason: "ID_CONFLICT", payload: "" }),
      rejectedEvent("c", { entrance: "bloomreach", reason: "ENVIRONMENT_FORBIDDEN" }),
    ];
    rejectedEvents.keep(project, kept.slice(0, 2), 3);
    rejectedEvents.keep(project, kept.slice(2), 4);
    rejectedEvents.keep(project, [], 5);
    await rejectedEvents.drain();

    expect(await listAll(rejectedEvents, project)).toEqual({ events: kept.toReversed(), omittedCount: 12 });
  });

  it("has nothing where nothing was rejected", async () => {
    await using opened = await open();

    expect(await opened.rejectedEvents.read(newProject(), { countMax: 10 })).toEqual({
      events: [],
      isEnd: true,
      omittedCount: 0,
    });
  });

  it("keeps projects apart", async () => {
    await using opened = await open();
    const { rejectedEvents } = opened;
    const [one, other] = [newProject(), newProject()];
    rejectedEvents.keep(one, [rejectedEvent("a")], 1);
    rejectedEvents.keep(other, [rejectedEvent("b")], 2);
    await rejectedEvents.drain();

    expect(await listAll(rejectedEvents, one)).toMatchObject({ events: [{ id: "a" }], omittedCount: 1 });
    expect(await listAll(rejectedEvents, other)).toMatchObject({ events: [{ id: "b" }], omittedCount: 2 });
  });

  it("keeps the last 10,000 of a project, and no more", async () => {
    await using opened = await open();
    const { rejectedEvents } = opened;
    const project = newProject();
    await keepAll(rejectedEvents, project, range(0, 10_150));

    const { events } = await listAll(rejectedEvents, project);
    expect(events.map(({ id }) => id)).toEqual(
      range(150, 10_150)
        .map(({ id }) => id)
        .reverse(),
    );
  });

  it("reads a part at a time, from behind any event", async () => {
    await using opened = await open();
    const { rejectedEvents } = opened;
    const project = newProject();
    await keepAll(rejectedEvents, project, range(0, 450));

    const first = await rejectedEvents.read(project, { countMax: 1000 });
    const after = first.events.at(-1)?.position;
    const second = await rejectedEvents.read(project, { countMax: 1000, ...(after && { after }) });

    expect(first).toMatchObject({ isEnd: false });
    expect(first.events.length).toBeLessThan(450);
    expect(first.events[0]?.id).toBe("449");
    expect(second.events[0]?.id).toBe(`${449 - first.events.length}`);
  });

  it("skips what another version kept, even where a whole part is that, and what is broken", async () => {
    await using opened = await open();
    const { rejectedEvents } = opened;
    const project = newProject();
    rejectedEvents.keep(project, [rejectedEvent("a")], 0);
    await rejectedEvents.drain();
    const foreign = redis.connect();
    const values: [string, string][] = [
      ["2", "[]"],
      ["1", "no JSON"],
      ["1", "{}"],
      ["1", "[1,2,3,4,5,6,7,8]"],
      ["1", '["x","grpc","","","MALFORMED","","",""]'],
      ["1", '["1","carrier pigeon","","","MALFORMED","","",""]'],
      ["1", '["1","grpc","","","toString","","",""]'],
      ["1", '["1","grpc","","","MALFORMED","",""]'],
    ];
    const writes = foreign.pipeline();
    for (let i = 0; i < 100; i++)
      for (const value of values) writes.xadd(projectKeys(project.name).rejected, "*", ...value);
    await writes.exec();

    expect((await listAll(rejectedEvents, project)).events).toMatchObject([{ id: "a" }]);
  });

  it("makes nobody wait while Redis does not answer, and counts what is too much to be on its way", async () => {
    await using opened = await open();
    const { rejectedEvents } = opened;
    const [project, other] = [newProject(), newProject()];
    redis.pause();
    for (let i = 0; i < 50; i++) rejectedEvents.keep(project, range(10 * i, 10 * i + 10), 1);
    rejectedEvents.keep(other, [rejectedEvent("late")], 0);
    redis.resume();
    await rejectedEvents.drain();

    const { events, omittedCount } = await listAll(rejectedEvents, project);
    expect(events.length).toBeGreaterThan(0);
    expect(events.length).toBeLessThanOrEqual(100);
    expect(events.map(({ id }) => Number(id))).toEqual(events.map((_, i) => events.length - 1 - i));
    expect(events.length + omittedCount).toBe(550);
    expect(await listAll(rejectedEvents, other)).toEqual({ events: [], omittedCount: 1 });
  });

  it("loses what is rejected while Redis is away, tells of that once a second at most, and goes on after it", async () => {
    await using opened = await open();
    const { rejectedEvents, lost } = opened;
    const project = newProject();
    await redis.kill();
    for (let i = 0; i < 200; i++) {
      rejectedEvents.keep(project, [rejectedEvent(`${i}`)], 1);
      await rejectedEvents.drain();
    }
    expect(lost).toHaveLength(1);
    await redis.start();

    await waitUntil(() => keepsNow(rejectedEvents, project));
    expect((await listAll(rejectedEvents, project)).events).toMatchObject([{ id: "probe" }]);
  });

  it("loses what is rejected while Redis is full", async () => {
    await using opened = await open();
    const { rejectedEvents, lost } = opened;
    const project = newProject();
    const operator = redis.connect();
    await operator.config("SET", "maxmemory", "1");
    rejectedEvents.keep(project, range(0, 3), 2);
    await rejectedEvents.drain();
    await operator.config("SET", "maxmemory", "100mb");

    expect(lost).toMatchObject([{ message: expect.stringMatching(/^OOM/) }]);
    expect(await listAll(rejectedEvents, project)).toEqual({ events: [], omittedCount: 0 });
  });

  it("throws STORAGE_UNAVAILABLE for a read while Redis does not answer", async () => {
    await using opened = await open();
    redis.pause();

    await expect(opened.rejectedEvents.read(newProject(), { countMax: 1 })).rejects.toMatchObject({
      reason: "STORAGE_UNAVAILABLE",
    });
  });
});
