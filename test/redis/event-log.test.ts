import { describe, expect, it } from "vitest";
import { parseCursor, toCursor } from "../../src/domain/cursor.ts";
import type { Project } from "../../src/domain/project.ts";
import type { EventLogLimits, RedisEventLog } from "../../src/redis/event-log.ts";
import { eventWithoutId } from "../support/chunk-appender.ts";
import { encodeEvent, eventToAppend, newProject } from "../support/events.ts";
import { endsOf, openEventLog } from "../support/open-event-log.ts";
import { useRedis } from "../support/use-redis.ts";
import { waitUntil } from "../support/wait-until.ts";

const redis = useRedis({ isDurable: true });

const openLog = (limits: Partial<EventLogLimits> = {}) => openEventLog(redis.socketPath, limits);

async function readAll(log: RedisEventLog, project: Project, order: "newest-first" | "oldest-first" = "oldest-first") {
  const events = [];
  for (let after: { epoch: string; ms: number; seq: number } | undefined; ; ) {
    const slice = await log.read(project, { order, countMax: 7, ...(after && { after }) });
    events.push(...slice.events);
    if (slice.isEnd) return events;
    after = events.at(-1)?.position;
  }
}

describe("EventLog.append", () => {
  it("answers for each event of concurrent calls, and keeps the order of each call", async () => {
    await using opened = await openLog({ chunkEvents: 10 });
    const { log } = opened;
    const project = newProject();

    const calls = Array.from({ length: 20 }, (_, call) =>
      log.append(
        project,
        "grpc",
        Array.from({ length: 7 }, (_, i) => eventToAppend(`${call}/${i}`)),
      ),
    );
    const results = await Promise.all(calls);

    expect(new Set(results.flatMap(endsOf))).toEqual(new Set(["accepted"]));
    const stored = await readAll(log, project);
    expect(stored).toHaveLength(140);
    for (const { results: callResults } of results) {
      const cursors = callResults.map((result) => (result.kind === "accepted" ? toCursor(result.position) : ""));
      const places = cursors.map((cursor) => stored.findIndex((event) => toCursor(event.position) === cursor));
      expect(places).toEqual([...places].sort((a, b) => a - b));
    }
  });

  it("tells the same event in another encoding from another event with the same id", async () => {
    await using opened = await openLog();
    const { log } = opened;
    const project = newProject();
    const event = { ...eventToAppend("a"), bytes: encodeEvent({ id: "a", name: "n", identities: { x: "1", y: "2" } }) };
    const shuffled = { ...event, bytes: encodeEvent({ id: "a", name: "n", identities: { y: "2", x: "1" } }) };
    const other = { ...event, bytes: encodeEvent({ id: "a", name: "n", identities: { x: "1", y: "3" } }) };

    const results = await log.append(project, "grpc", [event, event, shuffled, other]);

    expect(Buffer.compare(event.bytes, shuffled.bytes)).not.toBe(0);
    expect(endsOf(results)).toEqual(["accepted", "duplicate", "duplicate", "conflict"]);
  });

  it("hands back what was stored: bytes, entrance, assigned id and flags", async () => {
    await using opened = await openLog();
    const { log } = opened;
    const project = newProject();
    const assigned = "01a1fb64-33d9-70b1-8477-6af85547d143";
    const event = {
      id: assigned,
      isIdAssigned: true,
      bytes: encodeEvent({ name: "n" }),
      isTimeAbsent: true,
      isTest: true,
    };

    await log.append(project, "connect", [event]);
    await log.append(project, "grpc-web", [eventToAppend("mine", { time: { seconds: 1n } })]);

    const [first, second] = await readAll(log, project);
    expect(first).toMatchObject({ entrance: "connect", assignedId: assigned, isTimeAbsent: true, isTest: true });
    expect(second).toMatchObject({ entrance: "grpc-web", assignedId: undefined, isTimeAbsent: false, isTest: false });
    expect(Buffer.compare(first?.bytes ?? Buffer.of(), event.bytes)).toBe(0);
  });

  it("fails with STORAGE_FULL when Redis is out of memory, and stores nothing then", async () => {
    await using opened = await openLog();
    const { log, writeConnection } = opened;
    const project = newProject();
    await writeConnection.config("SET", "maxmemory", "1");

    const results = await log.append(project, "grpc", [eventToAppend("a")]);
    await writeConnection.config("SET", "maxmemory", "0");

    expect(endsOf(results)).toEqual(["STORAGE_FULL"]);
    expect(endsOf(await log.append(project, "grpc", [eventToAppend("a")]))).toEqual(["accepted"]);
  });

  it("stores no event twice, not even one without an id, when its script fails half-way", async () => {
    await using opened = await openLog();
    const { log, writeConnection } = opened;
    const project = newProject();
    await writeConnection.acl("SETUSER", "default", "-pexpire");

    const results = await log.append(project, "grpc", [eventWithoutId(), eventToAppend("a")]);
    await writeConnection.acl("SETUSER", "default", "+pexpire");

    expect(endsOf(results)).toEqual(["OUTCOME_UNKNOWN", "OUTCOME_UNKNOWN"]);
    expect(await log.count(project)).toBe(2);
    expect(endsOf(await log.append(project, "grpc", [eventToAppend("a")]))).toEqual(["duplicate"]);
  });

  it("waits for a Redis that restarts, and has every acknowledged event afterwards", async () => {
    await using opened = await openLog({ outageWaitMs: 10_000 });
    const { log, writeConnection } = opened;
    const project = newProject();
    expect(endsOf(await log.append(project, "grpc", [eventToAppend("before")]))).toEqual(["accepted"]);

    await redis.kill();
    await waitUntil(() => writeConnection.status !== "ready");
    const meanwhile = log.append(project, "grpc", [eventToAppend("meanwhile")]);
    await redis.start();

    expect(endsOf(await meanwhile)).toEqual(["accepted"]);
    expect(await readAll(log, project)).toHaveLength(2);
  });

  it("fails with STORAGE_UNAVAILABLE when Redis stays away", async () => {
    await using opened = await openLog({ outageWaitMs: 20 });
    const { log, writeConnection } = opened;
    await redis.kill();
    await waitUntil(() => writeConnection.status !== "ready");

    const results = await log.append(newProject(), "grpc", [eventToAppend("a"), eventToAppend("b")]);

    expect(endsOf(results)).toEqual(["STORAGE_UNAVAILABLE", "STORAGE_UNAVAILABLE"]);
  });

  it("refuses with OVERLOADED what exceeds the queue, but lets what is held back wait for its turn", async () => {
    await using opened = await openLog({ projectQueueBytes: 1000 });
    const { log } = opened;
    const project = newProject();
    redis.pause();

    const queued = log.append(project, "grpc", [eventToAppend("a"), eventToAppend("b"), eventToAppend("c")]);
    const refused = await log.append(project, "grpc", [eventToAppend("d"), eventToAppend("e")]);
    const heldBack = log.append(project, "grpc", [eventToAppend("f"), eventToAppend("g")], { isHeldBack: true });
    let hasRoom = false;
    const room = log.waitForRoom(project, new AbortController().signal).then(() => {
      hasRoom = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(hasRoom).toBe(false);
    redis.resume();
    await room;

    expect(endsOf(refused)).toEqual(["OVERLOADED", "OVERLOADED"]);
    expect(endsOf(await queued)).toEqual(["accepted", "accepted", "accepted"]);
    expect(endsOf(await heldBack)).toEqual(["accepted", "accepted"]);
  });

  it("leaves room for a call while streams take all that they can", async () => {
    await using opened = await openLog({ projectQueueBytes: 10_000, chunkEvents: 1 });
    const { log } = opened;
    const project = newProject();
    redis.pause();
    const streams = Array.from({ length: 100 }, (_, i) =>
      log.append(project, "grpc", [eventToAppend(`stream-${i}`)], { isHeldBack: true }),
    );
    await new Promise((resolve) => setImmediate(resolve));

    const call = log.append(project, "grpc", [eventToAppend("call")]);
    redis.resume();

    expect(endsOf(await call)).toEqual(["accepted"]);
    expect((await Promise.all(streams)).flatMap(endsOf)).toEqual(Array.from({ length: 100 }, () => "accepted"));
  });

  it("answers an idle project within a round, while 200 others have four chunks each to store", async () => {
    await using opened = await openLog({ chunkEvents: 5, totalChunksInFlight: 3 });
    const { append, writeConnection } = opened;
    const someEvents = () => Array.from({ length: 5 }, () => eventWithoutId());
    let lostCount = 0;
    writeConnection.on("close", () => lostCount++);
    let busyCount = 0;

    const busy = Array.from({ length: 200 }, () => newProject()).flatMap((project) =>
      Array.from({ length: 4 }, async () => {
        const appended = await append(project, someEvents());
        busyCount++;
        return appended;
      }),
    );
    const idle = await append(newProject(), [eventToAppend("a")]);
    const busyCountThen = busyCount;

    expect(endsOf(idle)).toEqual(["accepted"]);
    expect(busyCountThen).toBeLessThan(210);
    expect(new Set((await Promise.all(busy)).flatMap(endsOf))).toEqual(new Set(["accepted"]));
    expect(lostCount).toBe(0);
  });

  it("connects anew once, however many chunks Redis is silent about", async () => {
    await using opened = await openLog();
    const { append, writeConnection } = opened;
    let disconnects = 0;
    const disconnect = writeConnection.disconnect.bind(writeConnection);
    writeConnection.disconnect = (reconnect) => {
      if (reconnect) disconnects++;
      disconnect(reconnect);
    };
    redis.pause();
    const silent = Array.from({ length: 20 }, () => append(newProject(), [eventToAppend("a")]));
    await waitUntil(() => writeConnection.status !== "ready");

    redis.resume();

    expect((await Promise.all(silent)).flatMap(endsOf)).toEqual(Array.from({ length: 20 }, () => "accepted"));
    expect(disconnects).toBe(1);
  });

  it("stores nothing behind a chunk that failed, neither of its call nor of its sequence", async () => {
    await using opened = await openLog({ chunkEvents: 2, chunksInFlight: 1, outageWaitMs: 10_000, resolveWaitMs: 1 });
    const { log } = opened;
    const project = newProject();
    const sequence = {};
    await log.append(project, "grpc", [eventToAppend("first")]);
    redis.pause();

    const call = log.append(
      project,
      "grpc",
      ["a", "b", "c", "d"].map((id) => eventToAppend(id)),
      { sequence },
    );
    const behind = log.append(project, "grpc", [eventToAppend("e")], { sequence });
    const other = log.append(project, "grpc", [eventToAppend("f")]);
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    await redis.restart();

    expect(endsOf(await call)).toEqual([
      "OUTCOME_UNKNOWN",
      "OUTCOME_UNKNOWN",
      "STORAGE_UNAVAILABLE",
      "STORAGE_UNAVAILABLE",
    ]);
    expect(endsOf(await behind)).toEqual(["STORAGE_UNAVAILABLE"]);
    expect(endsOf(await other)).toEqual(["accepted"]);
  });

  it("reads an original once at a time, however often its id comes with another payload", async () => {
    await using opened = await openLog();
    const { log } = opened;
    const project = newProject();
    await log.append(project, "grpc", [eventToAppend("a", { properties: { large: "x".repeat(16_000) } })]);

    const results = await log.append(
      project,
      "grpc",
      Array.from({ length: 100 }, () => eventToAppend("a")),
    );

    expect(new Set(endsOf(results))).toEqual(new Set(["conflict"]));
  });

  it("does not store what its caller gave up before it was on its way", async () => {
    await using opened = await openLog();
    const { log } = opened;
    const project = newProject();
    const caller = new AbortController();

    const results = log.append(project, "grpc", [eventToAppend("a")], { signal: caller.signal });
    caller.abort();

    expect(endsOf(await results)).toEqual(["CALL_ENDED"]);
    expect(await readAll(log, project)).toEqual([]);
  });

  it("splits what is larger than a chunk, and stores an event that is larger by itself", async () => {
    await using opened = await openLog({ chunkBytes: 100 });
    const { log } = opened;
    const project = newProject();
    const large = eventToAppend("large", { name: "n".repeat(200) });

    const results = await log.append(project, "grpc", [eventToAppend("a"), large, eventToAppend("b")]);

    expect(endsOf(results)).toEqual(["accepted", "accepted", "accepted"]);
    expect(await readAll(log, project)).toHaveLength(3);
  });
});

describe("EventLog.read", () => {
  it("returns every event once in either order", async () => {
    await using opened = await openLog();
    const { log } = opened;
    const project = newProject();
    await log.append(
      project,
      "grpc",
      Array.from({ length: 30 }, (_, i) => eventToAppend(`e${i}`)),
    );

    const oldestFirst = (await readAll(log, project)).map((event) => event.position.seq);
    const newestFirst = (await readAll(log, project, "newest-first")).map((event) => event.position.seq);

    expect(oldestFirst).toHaveLength(30);
    expect(newestFirst).toEqual([...oldestFirst].reverse());
  });

  it("refuses a position of another data set", async () => {
    await using opened = await openLog();
    const { log } = opened;
    const project = newProject();
    const other = newProject();
    const [result] = (await log.append(project, "grpc", [eventToAppend("a")])).results;
    await log.append(other, "grpc", [eventToAppend("a")]);
    if (result?.kind !== "accepted") throw new Error("not accepted");
    const after = parseCursor(toCursor(result.position));
    if (after === undefined) throw new Error("not a cursor");

    const read = log.read(other, { order: "oldest-first", countMax: 1, after });

    await expect(read).rejects.toMatchObject({ reason: "CURSOR_EXPIRED" });
  });

  it("is empty for a project that never stored an event", async () => {
    await using opened = await openLog();

    expect(await opened.log.read(newProject(), { order: "newest-first", countMax: 5 })).toEqual({
      events: [],
      scannedCount: 0,
      isEnd: true,
    });
  });
});
