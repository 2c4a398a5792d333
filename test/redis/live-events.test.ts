import { spawn } from "node:child_process";
import { getEventListeners, once } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";
import { fromBinary } from "@bufbuild/protobuf";
import type { Redis } from "ioredis";
import { beforeEach, describe, expect, it, type MockInstance, vi } from "vitest";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import type { Position } from "../../src/domain/cursor.ts";
import type { ReadSlice, StoredEvent } from "../../src/domain/ports.ts";
import { createBlockingConnection } from "../../src/redis/connection.ts";
import { projectKeys } from "../../src/redis/keys.ts";
import { captureLog } from "../support/captured-log.ts";
import { ChaosProxy } from "../support/chaos-proxy.ts";
import { newProject } from "../support/events.ts";
import {
  createStreamWriter,
  type OpenLiveEvents,
  openLiveEvents,
  type StreamWriter,
} from "../support/open-live-events.ts";
import { useRedis } from "../support/use-redis.ts";
import { waitUntil } from "../support/wait-until.ts";

const server = useRedis({ isDurable: true });
let redis: Redis;

beforeEach(() => {
  redis = server.connect();
});

const newWriter = (): Promise<StreamWriter> => createStreamWriter(redis, newProject());

const idOf = ({ bytes }: StoredEvent): string => fromBinary(EventSchema, bytes).id;
const idsOf = ({ events }: ReadSlice): string[] => events.map(idOf);

function lastOf({ events }: ReadSlice): Position {
  const last = events.at(-1);
  if (last === undefined) throw new Error("the slice is empty");
  return last.position;
}

/** How many of Redis' clients are blocked now. */
async function blockedCount(): Promise<number> {
  return Number(/^blocked_clients:(\d+)/m.exec(await redis.info("clients"))?.[1]);
}

const someoneIsBlocked = () => waitUntil(async () => (await blockedCount()) > 0);

/** How often Redis has carried a command out since its counters were reset. */
async function callCount(command: string): Promise<number> {
  return Number(new RegExp(`^cmdstat_${command}:calls=(\\d+)`, "m").exec(await redis.info("commandstats"))?.[1] ?? 0);
}

/** Tails a project until it has come to an event; takes so many turns of the event loop over each slice. */
async function tail(
  { next }: OpenLiveEvents,
  { project, start }: StreamWriter,
  { until, turns = 0 }: { until: string; turns?: number },
): Promise<string[]> {
  const ids: string[] = [];
  let after = start;
  while (ids.at(-1) !== until) {
    const slice = await next(project, after);
    ids.push(...idsOf(slice));
    if (slice.events.length > 0) after = lastOf(slice);
    for (let turn = 0; turn < turns; turn++) await nextTurn();
  }
  return ids;
}

/** Waits at a position, for as long as it takes: goes on when storage is away, as a tail does. */
async function waitOn({ next }: OpenLiveEvents, { project }: StreamWriter, after: Position): Promise<ReadSlice> {
  for (;;) {
    try {
      const slice = await next(project, after);
      if (slice.events.length > 0) return slice;
    } catch (error) {
      if (!(error instanceof Error && "reason" in error && error.reason === "STORAGE_UNAVAILABLE")) throw error;
    }
    await nextTurn();
  }
}

describe("readLive", () => {
  it("gives every tail each event once and in order, whatever its speed, while events are stored in bursts", async () => {
    await using open = await openLiveEvents(server.socketPath, { readMax: 7 });
    const writer = await newWriter();
    const tails = Array.from({ length: 50 }, (_, index) => tail(open, writer, { until: "last", turns: index ** 2 }));
    const ids: string[] = [];
    for (let burst = 0; burst < 40; burst++) {
      const more = Array.from({ length: 1 + ((burst * 7) % 60) }, (_, index) => `${burst}-${index}`);
      ids.push(...more);
      await writer.add(...more);
      for (let turn = 0; turn < (burst * 13) % 50; turn++) await nextTurn();
    }
    await writer.add("last");

    for (const tailed of await Promise.all(tails)) expect(tailed).toEqual([...ids, "last"]);
  });

  it("wakes a thousand tails of a project with one read, and gives them the same events", async () => {
    await using open = await openLiveEvents(server.socketPath);
    const writer = await newWriter();
    const waits = Array.from({ length: 1000 }, () => open.next(writer.project, writer.start));
    await someoneIsBlocked();
    await redis.config("RESETSTAT");
    const readCount = open.readCount();

    await writer.add("a");
    const slices = await Promise.all(waits);

    expect(new Set(slices.map(({ events }) => events[0])).size).toBe(1);
    expect(slices.map(idsOf)).toEqual(slices.map(() => ["a"]));
    expect(slices[0]?.events[0]?.bytes.buffer.byteLength).toBe(slices[0]?.events[0]?.bytes.length);
    expect(open.readCount() - readCount).toBe(1);
    expect(await callCount("xrange")).toBe(1);
    expect(await callCount("xread")).toBeLessThanOrEqual(2);
  });

  it("asks Redis for nothing when a tail comes back to wait, or to what others have just been given", async () => {
    await using open = await openLiveEvents(server.socketPath);
    const writer = await newWriter();
    const other = await newWriter();
    const others = open.next(other.project, other.start);
    await someoneIsBlocked();
    const waiting = open.next(writer.project, writer.start);
    await waitUntil(async () => (await callCount("client\\|unblock")) > 0);
    await someoneIsBlocked();
    await redis.config("RESETSTAT");
    await writer.add("a");
    const slice = await waiting;
    const again = open.next(writer.project, lastOf(slice));
    await someoneIsBlocked();
    expect(await callCount("client\\|unblock")).toBe(0);
    await redis.config("RESETSTAT");
    const readCount = open.readCount();

    const lagging = await open.next(writer.project, writer.start);

    expect(lagging.events[0]).toBe(slice.events[0]);
    expect(lagging.reached).toEqual(lastOf(slice));
    expect(open.readCount()).toBe(readCount);
    expect(await callCount("xread")).toBe(0);
    await writer.add("b");
    expect(idsOf(await again)).toEqual(["b"]);
    await other.add("c");
    expect(idsOf(await others)).toEqual(["c"]);
  });

  it("keeps less of a project's recent events when many projects are waited for", async () => {
    await using open = await openLiveEvents(server.socketPath);
    const writer = await newWriter();
    const waiting = open.next(writer.project, writer.start);
    await writer.addLarge("large", 700_000);
    expect(idsOf(await waiting)).toEqual(["large"]);
    let readCount = open.readCount();
    await open.next(writer.project, writer.start);
    expect(open.readCount()).toBe(readCount);
    const others = await Promise.all(Array.from({ length: 63 }, newWriter));
    await Promise.all(others.map(({ project, start }) => open.next(project, start, 1)));
    readCount = open.readCount();

    expect(idsOf(await open.next(writer.project, writer.start))).toEqual(["large"]);

    expect(open.readCount()).toBe(readCount + 1);
  });

  it("gives the tails of a hundred projects their own events", async () => {
    await using open = await openLiveEvents(server.socketPath);
    const writers = await Promise.all(Array.from({ length: 100 }, newWriter));
    const tails = writers.map((writer) => tail(open, writer, { until: "last" }));
    await someoneIsBlocked();

    for (const writer of writers) await writer.add(`only-${writer.project.name}`);
    await Promise.all(writers.map((writer) => writer.add("last")));

    expect(await Promise.all(tails)).toEqual(writers.map(({ project }) => [`only-${project.name}`, "last"]));
    expect(await blockedCount()).toBeLessThanOrEqual(1);
  });

  it("notices a project that is waited for while Redis already blocks for others", async () => {
    await using open = await openLiveEvents(server.socketPath);
    const [first, second] = [await newWriter(), await newWriter()];
    const others = open.next(first.project, first.start);
    await someoneIsBlocked();

    const waiting = open.next(second.project, second.start);
    await waitUntil(async () => (await callCount("client\\|unblock")) > 0);
    await someoneIsBlocked();
    await second.add("b");

    expect(idsOf(await waiting)).toEqual(["b"]);
    await first.add("a");
    expect(idsOf(await others)).toEqual(["a"]);
  });

  it.each([
    ["came before Redis had begun to block", (client: MockInstance) => client.mockResolvedValueOnce(0)],
    ["failed", (client: MockInstance) => client.mockRejectedValueOnce(new Error("away"))],
  ])("interrupts Redis again when that %s", async (_, disturb) => {
    await using open = await openLiveEvents(server.socketPath);
    const [first, second] = [await newWriter(), await newWriter()];
    const others = open.next(first.project, first.start);
    await someoneIsBlocked();
    disturb(vi.spyOn(open.readConnection, "client"));

    const waiting = open.next(second.project, second.start);
    await second.add("b");

    expect(idsOf(await waiting)).toEqual(["b"]);
    await first.add("a");
    expect(idsOf(await others)).toEqual(["a"]);
  });

  it("gives a tail that begins ahead of the end only what comes behind its position", async () => {
    await using open = await openLiveEvents(server.socketPath);
    const writer = await newWriter();
    const ahead = { ...writer.start, ms: 4_000_000_000_000, seq: 0 };
    const waitingAhead = open.next(writer.project, ahead);
    await someoneIsBlocked();
    const waiting = open.next(writer.project, writer.start);
    await waitUntil(async () => (await callCount("client\\|unblock")) > 0);

    await writer.add("now");
    expect(idsOf(await waiting)).toEqual(["now"]);
    await redis.xadd(projectKeys(writer.project.name).events, "4000000000000-1", Buffer.from([0, 0]), Buffer.alloc(0));

    expect((await waitingAhead).events.map(({ position }) => position)).toEqual([{ ...ahead, seq: 1 }]);
  });

  it("hands out events of 700 KB one by one", async () => {
    await using open = await openLiveEvents(server.socketPath);
    const writer = await newWriter();
    const tails = Array.from({ length: 5 }, () => tail(open, writer, { until: "last" }));
    const ids = Array.from({ length: 12 }, (_, index) => `large-${index}`);

    for (const id of ids) await writer.addLarge(id, 700_000);
    await writer.add("last");

    for (const tailed of await Promise.all(tails)) expect(tailed).toEqual([...ids, "last"]);
  });

  it("misses nothing when Redis is killed and comes back while tails wait", async () => {
    await using open = await openLiveEvents(server.socketPath);
    const writers = await Promise.all([newWriter(), newWriter()]);
    const waits = writers.map((writer) => waitOn(open, writer, writer.start));
    await someoneIsBlocked();

    await server.restart();
    for (const writer of writers) await writer.add("after");

    for (const wait of waits) expect(idsOf(await wait)).toEqual(["after"]);
  });

  it("goes on when the link of the blocking connection is dead", async () => {
    const proxy = new ChaosProxy(server.socketPath);
    await proxy.start();
    const address = `redis://127.0.0.1:${proxy.port}`;
    const blockingConnection = createBlockingConnection(address, captureLog().logger).duplicate({ socketTimeout: 300 });
    blockingConnection.on("error", () => {});
    await using open = await openLiveEvents(server.socketPath, { blockMs: 100, blockingConnection });
    const writer = await newWriter();
    const waiting = open.next(writer.project, writer.start);
    await someoneIsBlocked();

    proxy.mode = { kind: "swallow" };
    await waitUntil(() => proxy.effects.swallow > 0);
    proxy.mode = { kind: "pass" };
    await writer.add("a");

    expect(idsOf(await waiting)).toEqual(["a"]);
    open.live.close();
    await proxy.close();
  });

  it.each([
    ["is gone", async () => {}],
    ["was begun anew", (writer: StreamWriter) => writer.begin("live-epoch-2")],
    [
      "was begun anew, with events",
      async (writer: StreamWriter) => {
        await writer.begin("live-epoch-2");
        await writer.add("other");
      },
    ],
  ])("tells all who wait when the data set %s", async (_, after) => {
    await using open = await openLiveEvents(server.socketPath, { blockMs: 100 });
    const writer = await newWriter();
    const waits = Array.from({ length: 20 }, () => open.next(writer.project, writer.start));
    const told = Promise.all(waits.map((wait) => expect(wait).rejects.toMatchObject({ reason: "CURSOR_EXPIRED" })));
    await someoneIsBlocked();

    await redis.flushall();
    await after(writer);

    await told;
    const start = { ...writer.start, epoch: "live-epoch-2" };
    await writer.begin(start.epoch);
    await writer.add("new");
    expect(await tail(open, { ...writer, start }, { until: "new" })).toContain("new");
  });

  it("tells the tails of a data set that is gone as soon as one of the new one comes to wait", async () => {
    await using open = await openLiveEvents(server.socketPath);
    const writer = await newWriter();
    const told = expect(open.next(writer.project, writer.start)).rejects.toMatchObject({ reason: "CURSOR_EXPIRED" });
    await someoneIsBlocked();
    await redis.flushall();
    const start = { ...writer.start, epoch: "live-epoch-2" };
    await writer.begin(start.epoch);

    const waiting = open.next(writer.project, start);

    await told;
    await writer.add("a");
    expect(idsOf(await waiting)).toEqual(["a"]);
  });

  it("tells who waits when events were trimmed before they could be read, and nobody else", async () => {
    await using open = await openLiveEvents(server.socketPath, { blockMs: 100 });
    const writer = await newWriter();
    const keys = projectKeys(writer.project.name);
    const waiting = open.next(writer.project, writer.start);
    const told = expect(waiting).rejects.toMatchObject({ reason: "CURSOR_EXPIRED" });
    const ahead = open.next(writer.project, { ...writer.start, ms: 2000 });
    await someoneIsBlocked();

    await redis.hset(keys.meta, "trimmed", "1000-0");

    await told;
    await writer.add("a");
    expect(idsOf(await ahead)).toEqual(["a"]);
  });

  it("keeps a project whose key is of another type from the tails of the others", async () => {
    await using open = await openLiveEvents(server.socketPath, { blockMs: 100 });
    const [broken, sound] = [await newWriter(), await newWriter()];
    const told = expect(open.next(broken.project, broken.start)).rejects.toMatchObject({ reason: "INTERNAL" });
    const waiting = open.next(sound.project, sound.start);
    await someoneIsBlocked();

    await redis.set(projectKeys(broken.project.name).events, "no stream");

    await told;
    await someoneIsBlocked();
    await sound.add("a");
    expect(idsOf(await waiting)).toEqual(["a"]);
  });

  it("is done waiting when the time is up, and at once when aborted", async () => {
    await using open = await openLiveEvents(server.socketPath);
    const { project, start } = await newWriter();
    const leaving = new AbortController();

    expect(await open.next(project, start, 1)).toMatchObject({ events: [], isEnd: true });
    const waits = Array.from({ length: 20 }, () => open.next(project, start, 1e9, leaving.signal));
    await waitUntil(() => getEventListeners(leaving.signal, "abort").length === waits.length);
    leaving.abort();

    for (const wait of waits) expect((await wait).events).toEqual([]);
    expect(getEventListeners(leaving.signal, "abort")).toEqual([]);
    expect((await open.next(project, start, 1e9, leaving.signal)).events).toEqual([]);
  });

  it("leaves no listener behind when events come", async () => {
    await using open = await openLiveEvents(server.socketPath);
    const writer = await newWriter();
    const { signal } = new AbortController();
    const waiting = open.next(writer.project, writer.start, 10_000, signal);
    await someoneIsBlocked();

    await writer.add("a");
    await waiting;

    expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});

describe("close", () => {
  it.each([
    ["it is closed", ({ live }: OpenLiveEvents) => live.close()],
    ["its connection is closed", ({ blockingConnection }: OpenLiveEvents) => blockingConnection.disconnect()],
  ])("ends every wait when %s", async (_, close) => {
    await using open = await openLiveEvents(server.socketPath);
    const writers = await Promise.all([newWriter(), newWriter()]);
    const waits = writers.map(({ project, start }) => open.next(project, start));
    await someoneIsBlocked();
    const ended = once(open.blockingConnection, "end");

    close(open);

    for (const wait of waits) expect((await wait).events).toEqual([]);
    await ended;
    for (const { project, start } of writers) {
      await expect(open.next(project, start)).rejects.toMatchObject({ reason: "SHUTTING_DOWN" });
    }
  });

  it("lets the process end", async () => {
    const { project, start } = await newWriter();
    const module = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
    const code = `
      const { openLiveEvents } = await import(${module("../support/open-live-events.ts")});
      const open = await openLiveEvents(${JSON.stringify(server.socketPath)});
      const waiting = open.next(${JSON.stringify(project)}, ${JSON.stringify(start)}, 1e9);
      process.stdout.write("waits");
      process.stdin.once("data", async () => {
        await open[Symbol.asyncDispose]();
        await waiting;
        process.stdin.destroy();
      });
    `;
    const child = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["pipe", "pipe", "inherit"] });
    const exited = once(child, "exit");
    await once(child.stdout, "data");
    await someoneIsBlocked();

    child.stdin.write("close");

    expect(await exited).toEqual([0, null]);
  });
});
