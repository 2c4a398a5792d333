import { once } from "node:events";
import { createServer, connect as dial, type Socket } from "node:net";
import { join } from "node:path";
import { setImmediate as nextPass } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Appended, AppendOptions, EventToAppend } from "../../src/domain/ports.ts";
import type { Project } from "../../src/domain/project.ts";
import type { EventLogLimits } from "../../src/redis/event-log.ts";
import { projectKeys } from "../../src/redis/keys.ts";
import { eventWithoutId } from "../support/chunk-appender.ts";
import { eventToAppend, newProject } from "../support/events.ts";
import { endsOf, openEventLog, placesOf } from "../support/open-event-log.ts";
import { useRedis } from "../support/use-redis.ts";
import { waitUntil } from "../support/wait-until.ts";

const redis = useRedis({ isDurable: true });

/** A connection that was made through the proxy. */
interface Link {
  readonly client: Socket;
  readonly upstream: Socket;
  readonly held: Buffer[];
}

/** Stands between the write connection and Redis; loses replies of scripts, or keeps requests for later. */
class LossyProxy {
  readonly path = join(redis.folder, "proxy.sock");
  /** How many replies of scripts are to be lost, each with its connection. */
  repliesToLose = 0;
  /** Whether requests are kept instead of being passed on. */
  isHolding = false;
  readonly #links = new Set<Link>();
  readonly #server = createServer((client) => this.#accept(client));

  async start(): Promise<void> {
    await once(this.#server.listen(this.path), "listening");
  }

  get heldBytes(): number {
    return [...this.#links].reduce((sum, { held }) => sum + Buffer.concat(held).length, 0);
  }

  /** Cuts the connections on the client's side only: what is held can still arrive. */
  cutClients(): void {
    this.isHolding = false;
    for (const { client } of this.#links) client.destroy();
  }

  /** Has what was held arrive, late; resolves with what Redis says to it. */
  async releaseHeld(): Promise<string> {
    const [link] = [...this.#links].filter(({ held }) => held.length > 0);
    if (link === undefined) throw new Error("nothing is held");
    const replied = once(link.upstream, "data");
    link.upstream.write(Buffer.concat(link.held.splice(0)));
    const [reply]: Buffer[] = await replied;
    link.upstream.destroy();
    return String(reply);
  }

  async close(): Promise<void> {
    for (const { client, upstream } of this.#links) {
      client.destroy();
      upstream.destroy();
    }
    this.#server.close();
    await once(this.#server, "close");
  }

  #accept(client: Socket): void {
    const link: Link = { client, upstream: dial(redis.socketPath), held: [] };
    const { upstream, held } = link;
    this.#links.add(link);
    for (const socket of [client, upstream]) socket.on("error", () => {});
    client.on("data", (bytes) => {
      if (this.isHolding) held.push(bytes);
      else upstream.write(bytes);
    });
    upstream.on("data", (bytes) => {
      if (this.repliesToLose > 0 && bytes.toString("latin1", 0, 2) === "*5") {
        this.repliesToLose--;
        client.destroy();
      }
      if (!client.destroyed) client.write(bytes);
    });
    client.on("close", () => {
      if (held.length === 0) upstream.destroy();
    });
    upstream.on("close", () => {
      client.destroy();
      this.#links.delete(link);
    });
  }
}

let proxy: LossyProxy;
beforeEach(async () => {
  proxy = new LossyProxy();
  await proxy.start();
});
afterEach(() => proxy.close());

async function openLog(limits: Partial<EventLogLimits> = {}) {
  const opened = await openEventLog(redis.socketPath, { outageWaitMs: 10_000, ...limits }, proxy.path);
  return {
    ...opened,
    /** Starts an append, and waits until its request is on its way. */
    async appendHeld(project: Project, events: readonly EventToAppend[], options: AppendOptions = {}) {
      proxy.isHolding = true;
      const appended = opened.append(project, events, options);
      await waitUntil(() => proxy.heldBytes > 0);
      return { appended };
    },
    countEvents: (project: Project) => opened.log.count(project),
  };
}

/** A project that lets exactly so many events through. */
const limitedTo = (events: number) => newProject({ rateLimits: [{ events, perMs: 24 * 3_600_000 }] });
const given = (...ids: string[]) => ids.map((id) => eventToAppend(id));
const assigned = (count: number) => Array.from({ length: count }, () => eventWithoutId());
const allAccepted = (count: number) => Array.from({ length: count }, () => "accepted");

const cases: [string, EventToAppend[], AppendOptions, Partial<EventLogLimits>][] = [
  ["ids of senders", given("a", "b", "c", "d", "e", "f"), {}, {}],
  ["assigned ids", assigned(6), {}, {}],
  ["an atomic call", assigned(6), { isAtomic: true }, {}],
  ["several chunks", assigned(6), {}, { chunkEvents: 2 }],
];

describe("a reply that is lost", () => {
  it.each(cases)("is asked for again, and nothing is charged or told twice: %s", async (_, events, options, limits) => {
    await using opened = await openLog(limits);
    const { append, countEvents } = opened;
    const project = limitedTo(6);
    proxy.repliesToLose = 2;

    const appended = await append(project, events, options);

    expect(proxy.repliesToLose).toBe(0);
    expect(endsOf(appended)).toEqual(allAccepted(6));
    expect(appended.quotas).toMatchObject([{ remaining: 0 }]);
    expect(await countEvents(project)).toBe(6);
    expect(endsOf(await append(project, given("more")))).toEqual(["throttled"]);
  });

  it.each([
    ["several chunks without a limit", { chunkEvents: 2 }],
    ["one chunk at a time", { chunkEvents: 2, chunksInFlight: 1 }],
  ])("costs neither order nor events: %s", async (_, limits) => {
    await using opened = await openLog(limits);
    const { append, countEvents } = opened;
    const project = newProject();
    proxy.repliesToLose = 2;

    const calls = await Promise.all(Array.from({ length: 5 }, () => append(project, assigned(5))));

    expect(calls.flatMap(endsOf)).toEqual(allAccepted(25));
    expect(calls.flatMap(placesOf)).toEqual(calls.flatMap(placesOf).toSorted());
    expect(await countEvents(project)).toBe(25);
  });

  it.each(cases.slice(0, 3))(
    "may follow the retry: a late first attempt does nothing: %s",
    async (_, events, options) => {
      await using opened = await openLog();
      const { append, appendHeld, countEvents, log } = opened;
      const project = limitedTo(7);
      await append(newProject(), assigned(1));
      const { appended } = await appendHeld(project, events, options);
      proxy.cutClients();
      expect(endsOf(await appended)).toEqual(allAccepted(6));

      const reply = await proxy.releaseHeld();

      expect(reply).toMatch(/^\*5\r\n[\s\S]*\r\naaaaaa\r\n/);
      expect(await countEvents(project)).toBe(6);
      expect(await log.readQuotas(project)).toMatchObject([{ remaining: 1 }]);
    },
  );

  it("may follow later chunks: a late first attempt is refused", async () => {
    await using opened = await openLog();
    const { append, appendHeld, countEvents, log } = opened;
    const project = limitedTo(10);
    const { appended } = await appendHeld(project, assigned(3));
    proxy.cutClients();
    await appended;
    expect(endsOf(await append(project, assigned(2)))).toEqual(allAccepted(2));

    expect(await proxy.releaseHeld()).toMatch(/^-STALE/);

    expect(await countEvents(project)).toBe(5);
    expect(await log.readQuotas(project)).toMatchObject([{ remaining: 5 }]);
  });
});

describe("a Redis that", () => {
  it("dies under a chunk has it stored once when it is back", async () => {
    await using opened = await openLog();
    const { append, countEvents } = opened;
    const project = limitedTo(4);
    await append(project, given("first"));
    redis.pause();
    const appended = append(project, assigned(3));
    await waitUntil(() => opened.writeConnection.stream.bytesWritten > 0);

    await redis.restart();

    expect(endsOf(await appended)).toEqual(allAccepted(3));
    expect(await countEvents(project)).toBe(4);
  });

  it("is killed again and again keeps every event that it acknowledged, once", async () => {
    await using opened = await openLog({ chunkEvents: 3 });
    const { append, countEvents } = opened;
    const project = newProject();
    const calls: Promise<Appended>[] = [];
    for (let kills = 0; kills < 3; kills++) {
      let answered = 0;
      for (let i = 0; i < 60; i++) {
        const call = append(project, assigned(2));
        calls.push(call);
        void call.then(() => answered++);
      }
      await waitUntil(() => answered >= 10 * kills);
      await redis.restart();
    }

    expect((await Promise.all(calls)).flatMap(endsOf)).toEqual(allAccepted(360));
    expect(await countEvents(project)).toBe(360);
  });

  it("freezes for longer than a command may take has it stored once when it goes on", async () => {
    await using opened = await openLog();
    const { append, countEvents, writeConnection } = opened;
    const project = limitedTo(3);
    await append(project, assigned(1));
    redis.pause();
    const appended = append(project, assigned(2));
    await waitUntil(() => writeConnection.status !== "ready");
    const behind = append(project, given("behind"));

    redis.resume();

    expect(endsOf(await appended)).toEqual(allAccepted(2));
    expect(endsOf(await behind)).toEqual(["throttled"]);
    expect(await countEvents(project)).toBe(3);
  });
});

describe("a chunk in doubt", () => {
  it("is OUTCOME_UNKNOWN at once for a caller that goes, and answered to the others", async () => {
    await using opened = await openLog();
    const { append, appendHeld, countEvents } = opened;
    const project = newProject();
    const caller = new AbortController();
    const going = append(project, given("a", "b"), { signal: caller.signal });
    const { appended: staying } = await appendHeld(project, given("c", "d"));
    await redis.kill();
    await waitUntil(() => opened.writeConnection.status !== "ready");

    caller.abort();
    const gone = await going;
    proxy.isHolding = false;
    await redis.start();

    expect(endsOf(gone)).toEqual(["OUTCOME_UNKNOWN", "OUTCOME_UNKNOWN"]);
    expect(endsOf(await staying)).toEqual(allAccepted(2));
    expect(await countEvents(project)).toBe(4);
    expect(endsOf(await append(project, given("a")))).toEqual(["duplicate"]);
  });

  it("is given up when all of its callers have gone, and lets others pass", async () => {
    await using opened = await openLog();
    const { append, appendHeld } = opened;
    const project = newProject();
    const caller = new AbortController();
    const { appended } = await appendHeld(project, given("a"), { signal: caller.signal });
    await redis.kill();
    await waitUntil(() => opened.writeConnection.status !== "ready");

    caller.abort();
    expect(endsOf(await appended)).toEqual(["OUTCOME_UNKNOWN"]);
    proxy.isHolding = false;
    await redis.start();

    expect(endsOf(await append(project, given("b")))).toEqual(["accepted"]);
    expect(await opened.countEvents(project)).toBe(1);
  });

  it("is OUTCOME_UNKNOWN when Redis stays away for too long", async () => {
    await using opened = await openLog({ resolveWaitMs: 30 });
    const project = newProject();
    const { appended } = await opened.appendHeld(project, given("a", "b"));

    await redis.kill();

    expect(endsOf(await appended)).toEqual(["OUTCOME_UNKNOWN", "OUTCOME_UNKNOWN"]);
  });

  it("keeps its place before what was sent after it, or could not be sent any more", async () => {
    await using opened = await openLog({ chunkEvents: 2 });
    const { append, appendHeld } = opened;
    const project = newProject();
    const { appended } = await appendHeld(project, given("a", "b"));
    const behind = append(project, given("c", "d"));
    proxy.cutClients();
    const last = append(project, given("e"));

    const calls = await Promise.all([appended, behind, last]);

    expect(calls.flatMap(endsOf)).toEqual(allAccepted(5));
    expect(calls.flatMap(placesOf)).toEqual(calls.flatMap(placesOf).toSorted());
  });

  it("is not certain to be refused when only its retry is, and holds back what comes after it", async () => {
    await using opened = await openLog({ chunkEvents: 2 });
    const { append, appendHeld } = opened;
    const project = newProject();
    const admin = redis.connect();
    const { appended } = await appendHeld(project, assigned(2));
    await admin.config("SET", "maxmemory", "1");
    await admin.config("RESETSTAT");
    proxy.cutClients();
    await waitUntil(async () => /errorstat_OOM:count=[2-9]/.test(await admin.info("errorstats")));
    const behind = append(project, assigned(2));
    await nextPass();

    await admin.config("SET", "maxmemory", "0");

    const calls = await Promise.all([appended, behind]);
    expect(calls.flatMap(endsOf)).toEqual(allAccepted(4));
    expect(calls.flatMap(placesOf)).toEqual(calls.flatMap(placesOf).toSorted());
  });

  it.each([
    ["is in doubt", true],
    ["has no answer yet", false],
  ])("is OUTCOME_UNKNOWN at once when the log gives up while it %s", async (_, isInDoubt) => {
    await using opened = await openLog({ chunkEvents: 2, chunksInFlight: 1, projectQueueBytes: 5_000 });
    const { append, appendHeld, log, writeConnection } = opened;
    const project = newProject();
    const { appended } = await appendHeld(project, given("a", "b", "c"));
    const waiting = append(project, given("d"));
    const heldBack = Promise.all(assigned(20).map((event) => append(project, [event], { isHeldBack: true })));
    if (isInDoubt) await redis.kill();
    await waitUntil(() => (writeConnection.status === "ready") !== isInDoubt);

    let isAnswered = false;
    void appended.then(() => {
      isAnswered = true;
    });

    log.giveUp();
    await nextPass();

    expect(isAnswered).toBe(true);
    expect(endsOf(await appended)).toEqual(["OUTCOME_UNKNOWN", "OUTCOME_UNKNOWN", "SHUTTING_DOWN"]);
    expect(endsOf(await waiting)).toEqual(["SHUTTING_DOWN"]);
    expect(new Set((await heldBack).flatMap(endsOf))).toEqual(new Set(["SHUTTING_DOWN"]));
    for (const late of [project, newProject()]) {
      expect(endsOf(await append(late, given("late")))).toEqual(["SHUTTING_DOWN"]);
    }
  });

  it("is not sent again once the log has given up", async () => {
    await using opened = await openLog();
    const { appendHeld, log, writeConnection } = opened;
    const project = newProject();
    const { appended } = await appendHeld(project, given("a"));
    await redis.kill();
    await waitUntil(() => writeConnection.status !== "ready");
    log.giveUp();
    await appended;
    proxy.isHolding = false;

    await redis.start();
    await waitUntil(() => writeConnection.status === "ready");

    // On the connection by which it would have been sent.
    expect(await writeConnection.xlen(projectKeys(project.name).events)).toBe(0);
  });

  it("is waited for by drain", async () => {
    await using opened = await openLog();
    const { appendHeld, log } = opened;
    const { appended } = await appendHeld(newProject(), given("a"));
    let isDrained = false;
    const drained = log.drain().then(() => {
      isDrained = true;
    });
    await redis.kill();
    await waitUntil(() => opened.writeConnection.status !== "ready");
    expect(isDrained).toBe(false);
    proxy.isHolding = false;

    await redis.start();
    await drained;

    expect(endsOf(await appended)).toEqual(["accepted"]);
  });
});
