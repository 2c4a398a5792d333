import { describe, expect, it } from "vitest";
import type { ProjectSettings } from "../../src/domain/project.ts";
import type { ChunkOutcome } from "../../src/redis/append-events.ts";
import { createChunkAppender, eventWithoutId } from "../support/chunk-appender.ts";
import { eventToAppend } from "../support/events.ts";
import { useRedis } from "../support/use-redis.ts";

const redis = useRedis();

function setUp(settings: Partial<ProjectSettings> = {}) {
  const connection = redis.connect();
  return { connection, ...createChunkAppender(connection, settings) };
}

function positionOf(outcome: ChunkOutcome | undefined) {
  if (outcome?.kind !== "added" && outcome?.kind !== "known") throw new Error(`${outcome?.kind} has no position`);
  return outcome.position;
}

const tight = { rateLimits: [{ events: 3, perMs: 3_600_000 }] };

describe("append-events.lua", () => {
  it("adds new events in order, with consecutive positions of one millisecond", async () => {
    const { append, connection, keys } = setUp();

    const { outcomes } = await append(["a", "b", "c"]);

    const positions = outcomes.map(positionOf);
    expect(outcomes.map((outcome) => outcome.kind)).toEqual(["added", "added", "added"]);
    expect(positions.map(({ seq }) => seq - (positions[0]?.seq ?? 0))).toEqual([0, 1, 2]);
    expect(new Set(positions.map(({ ms }) => ms)).size).toBe(1);
    const stored = await connection.xrange(keys.events, "-", "+");
    expect(stored.map(([id]) => id)).toEqual(positions.map(({ ms, seq }) => `${ms}-${seq}`));
  });

  it("answers for a known id with the position of the original, and adds nothing", async () => {
    const { append, connection, keys } = setUp();
    const first = await append(["a"]);

    const again = await append(["b", "a"]);

    const position = positionOf(first.outcomes[0]);
    expect(again.outcomes[0]?.kind).toBe("added");
    expect(again.outcomes[1]).toEqual({ kind: "known", position, isSamePayloadHash: true });
    expect(await connection.xlen(keys.events)).toBe(2);
  });

  it("finds the second copy of an id within the same chunk", async () => {
    const { append, connection, keys } = setUp();

    const { outcomes } = await append(["a", "b", "a"]);

    expect(outcomes.map((outcome) => outcome.kind)).toEqual(["added", "added", "known"]);
    expect(positionOf(outcomes[2])).toEqual(positionOf(outcomes[0]));
    expect(await connection.xlen(keys.events)).toBe(2);
  });

  it("tells a known id with another payload, within a chunk too", async () => {
    const { append } = setUp();
    await append(["a"]);

    const { outcomes } = await append([eventToAppend("a", { value: 2 }), "b", eventToAppend("b", { value: 2 })]);

    expect(outcomes).toMatchObject([
      { kind: "known", isSamePayloadHash: false },
      { kind: "added" },
      { kind: "known", isSamePayloadHash: false },
    ]);
  });

  it("does not look for an id that the server assigned, but remembers it", async () => {
    const { append, appendKinds } = setUp();
    const event = eventWithoutId();
    const { outcomes } = await append([event]);

    const [sentBack] = (await append([eventToAppend(event.id)])).outcomes;

    expect(sentBack).toEqual({ kind: "known", position: positionOf(outcomes[0]), isSamePayloadHash: false });
    expect(await appendKinds([event])).toEqual(["added"]);
  });

  it("keeps the ids of projects apart", async () => {
    const one = setUp();
    const other = setUp();
    const mine = await one.append(["a"]);

    const theirs = await other.append(["a"]);

    expect(theirs.outcomes[0]?.kind).toBe("added");
    expect(positionOf(theirs.outcomes[0]).epoch).not.toBe(positionOf(mine.outcomes[0]).epoch);
  });

  it("keeps one epoch for as long as the data set lives, and makes another for the next", async () => {
    const { append } = setUp();
    const [first, second] = [await append(["a"]), await append(["b"])].map(({ outcomes }) => positionOf(outcomes[0]));
    await redis.clear();

    const afterLoss = await append(["a"]);

    expect(second?.epoch).toBe(first?.epoch);
    expect(afterLoss.outcomes[0]?.kind).toBe("added");
    expect(positionOf(afterLoss.outcomes[0]).epoch).not.toBe(first?.epoch);
  });

  it("names the data set again when only its name was lost", async () => {
    const { append, connection, keys } = setUp();
    await append(["a"]);
    await connection.del(keys.meta);

    const [first, second] = [await append(["a"]), await append(["a"])].map(({ outcomes }) => outcomes[0]);

    expect(first?.kind).toBe("known");
    expect(second).toEqual(first);
  });

  it("goes on behind the last event when the clock was set back", async () => {
    const { append, connection, keys } = setUp();
    const ms = Date.now() + 3_600_000;
    await connection.xadd(keys.events, `${ms}-5`, "e", "1");

    const { outcomes } = await append(["a", "b", "a"]);

    expect(outcomes.map(positionOf).map((position) => `${position.ms}-${position.seq}`)).toEqual([
      `${ms}-6`,
      `${ms}-7`,
      `${ms}-6`,
    ]);
  });

  it("leaves nothing behind when Redis is out of memory", async () => {
    const { append, appendKinds, connection, keys } = setUp(tight);
    await connection.config("SET", "maxmemory", "1");

    await expect(append(["a", "b"])).rejects.toThrow(/^OOM/);
    await connection.config("SET", "maxmemory", "0");

    expect(await connection.keys(`${keys.events.split("}")[0]}}*`)).toEqual([]);
    expect(await appendKinds(["a"])).toEqual(["added"]);
  });

  it("fills a project up to the event, and tells what it holds already even then", async () => {
    const { append, appendKinds, connection, keys } = setUp({ eventsMax: 3 });

    expect(await appendKinds(["a", "b"])).toEqual(["added", "added"]);
    expect(await appendKinds(["a", "c", "d", "c", "d"])).toEqual(["known", "added", "full", "known", "full"]);
    expect(await appendKinds(["e"], { isAtomic: true })).toEqual(["full"]);
    expect((await append(["b", "e"])).outcomes).toMatchObject([{ kind: "known" }, { kind: "full" }]);
    expect(await connection.xlen(keys.events)).toBe(3);
    expect(await appendKinds(["e", "f"], { settings: { eventsMax: 4 } })).toEqual(["added", "full"]);
    expect(await appendKinds(["f", "g"], { settings: { eventsMax: 2 } })).toEqual(["full", "full"]);
  });
});

describe("append-events.lua, atomically", () => {
  it.each<[string, Partial<ProjectSettings>, string[], string[]]>([
    ["adds all", {}, ["x", "y"], ["added", "added"]],
    ["adds what is new beside what is known", {}, ["x", "a", "y"], ["added", "known", "added"]],
    ["is content when all is known", {}, ["a", "b"], ["known", "known"]],
    ["is stopped by another payload", {}, ["x", "a!", "b"], ["withheld", "known", "known"]],
    ["is stopped by a lack of tokens", tight, ["x", "a", "y"], ["withheld", "known", "throttled"]],
    ["is stopped by a lack of room", { eventsMax: 3 }, ["x", "a", "y"], ["withheld", "known", "full"]],
    ["fits to the last token and place", { ...tight, eventsMax: 3 }, ["x", "a"], ["added", "known"]],
  ])("%s", async (_, settings, ids, kinds) => {
    const { append, appendKinds, connection, keys } = setUp(settings);
    await append(["a", "b"]);
    const before = await connection.hgetall(keys.quotas);

    const events = ids.map((id) => (id.endsWith("!") ? eventToAppend(id.slice(0, -1), { value: 2 }) : id));
    expect(await appendKinds(events, { isAtomic: true })).toEqual(kinds);

    const addedCount = kinds.filter((kind) => kind === "added").length;
    expect(await connection.xlen(keys.events)).toBe(2 + addedCount);
    if (addedCount === 0) {
      expect(await connection.hgetall(keys.quotas)).toEqual(before);
      expect(await appendKinds(["x"])).toEqual(["added"]);
    }
  });
});

describe("append-events.lua, called again", () => {
  it.each([
    ["with ids of senders", ["a", "b", "a"], false],
    ["with assigned ids", [eventWithoutId(), eventWithoutId()], false],
    ["atomically", ["a", "b"], true],
  ])("gives the first reply, and neither stores nor charges twice: %s", async (_, events, isAtomic) => {
    const { encode, send, connection, keys } = setUp(tight);
    const call = encode(events, { isAtomic });
    const first = await send(call);
    const quotas = await connection.hgetall(keys.quotas);

    const again = await send(call, true);

    expect(again).toEqual({ ...first, delayMsUntil: expect.any(Function) });
    expect(await connection.xlen(keys.events)).toBe(2);
    expect(await connection.hgetall(keys.quotas)).toEqual(quotas);
  });

  it("has the late first attempt do nothing, even when there was nothing to add", async () => {
    const { append, encode, send, connection, keys } = setUp({ eventsMax: 2 });
    await append(["a", "b"]);
    const call = encode(["c", "a"]);
    const again = (await send(call, true)).outcomes;
    await connection.xtrim(keys.events, "MAXLEN", 0);

    const late = (await send(call)).outcomes;

    expect(again.map(({ kind }) => kind)).toEqual(["full", "known"]);
    expect(late).toEqual(again);
    expect(await connection.xlen(keys.events)).toBe(0);
  });

  it("refuses a late call when its slot has had a later one", async () => {
    const { append, encode, send, connection, keys } = setUp(tight);
    const late = encode(["a", eventWithoutId()]);
    await append(["b"]);

    await expect(send(late)).rejects.toThrow(/^STALE/);
    await expect(send(late, true)).rejects.toThrow(/^STALE/);

    expect(await connection.xlen(keys.events)).toBe(1);
  });

  it("does not answer when it cannot keep the answer, as the first attempt could still do otherwise", async () => {
    const { append, encode, send, connection } = setUp({ eventsMax: 1 });
    await append(["a"]);
    const call = encode(["b"]);
    await connection.config("SET", "maxmemory", "1");

    await expect(send(call, true)).rejects.toThrow(/^OOM/);
    await connection.config("SET", "maxmemory", "0");
  });

  it("keeps a reply for a minute", async () => {
    const { append, connection, keys } = setUp();
    await append(["a"]);

    const [slot = ""] = await connection.keys(`${keys.replies}:*`);

    const ttl = await connection.pttl(slot);
    expect(ttl).toBeGreaterThan(50_000);
    expect(ttl).toBeLessThanOrEqual(60_000);
  });
});
