import { describe, expect, it } from "vitest";
import { createAppendEvents } from "../../src/redis/append-events.ts";
import { projectKeys } from "../../src/redis/keys.ts";
import { eventToAppend, newProject } from "../support/events.ts";
import { useRedis } from "../support/use-redis.ts";

const redis = useRedis();

function setUp(overrides = {}) {
  const connection = redis.connect();
  const append = createAppendEvents(connection);
  const project = newProject(overrides);
  const appendIds = (...ids: string[]) =>
    append(
      project,
      ids.map((id) => ({ event: eventToAppend(id), entrance: "grpc" as const })),
    );
  return { connection, append, appendIds, project, keys: projectKeys(project.name) };
}

describe("append-events.lua", () => {
  it("adds new events in order, with consecutive positions of one millisecond", async () => {
    const { appendIds, connection, keys } = setUp();

    const outcomes = await appendIds("a", "b", "c");

    const positions = outcomes.map((outcome) => outcome.position);
    expect(outcomes.map((outcome) => outcome.kind)).toEqual(["added", "added", "added"]);
    expect(positions.map(({ seq }) => seq - (positions[0]?.seq ?? 0))).toEqual([0, 1, 2]);
    expect(new Set(positions.map(({ ms }) => ms)).size).toBe(1);
    const stored = await connection.xrange(keys.events, "-", "+");
    expect(stored.map(([id]) => id)).toEqual(positions.map(({ ms, seq }) => `${ms}-${seq}`));
  });

  it("answers for a known id with the position of the original, and adds nothing", async () => {
    const { appendIds, connection, keys } = setUp();
    const [first] = await appendIds("a");

    const again = await appendIds("b", "a");

    expect(again.map((outcome) => outcome.kind)).toEqual(["added", "known"]);
    expect(again[1]).toEqual({ kind: "known", position: first?.position, isSamePayloadHash: true });
    expect(await connection.xlen(keys.events)).toBe(2);
  });

  it("finds the second copy of an id within the same chunk", async () => {
    const { appendIds, connection, keys } = setUp();

    const outcomes = await appendIds("a", "b", "a");

    expect(outcomes.map((outcome) => outcome.kind)).toEqual(["added", "added", "known"]);
    expect(outcomes[2]?.position).toEqual(outcomes[0]?.position);
    expect(await connection.xlen(keys.events)).toBe(2);
  });

  it("tells a known id with another payload", async () => {
    const { append, appendIds, project } = setUp();
    await appendIds("a");

    const [outcome] = await append(project, [{ event: eventToAppend("a", { value: 2 }), entrance: "grpc" }]);

    expect(outcome).toMatchObject({ kind: "known", isSamePayloadHash: false });
  });

  it("keeps the ids of projects apart", async () => {
    const one = setUp();
    const other = setUp();
    await one.appendIds("a");

    const [outcome] = await other.appendIds("a");

    expect(outcome?.kind).toBe("added");
    expect(outcome?.position.epoch).not.toBe((await one.appendIds("b"))[0]?.position.epoch);
  });

  it("keeps one epoch for as long as the data set lives, and makes another for the next", async () => {
    const { appendIds } = setUp();
    const [first] = await appendIds("a");
    const [second] = await appendIds("b");
    await redis.clear();

    const [afterLoss] = await appendIds("a");

    expect(second?.position.epoch).toBe(first?.position.epoch);
    expect(afterLoss?.kind).toBe("added");
    expect(afterLoss?.position.epoch).not.toBe(first?.position.epoch);
  });

  it("looks for an id in the generation before, and lets both expire", async () => {
    const { appendIds, connection, keys, project } = setUp();
    await appendIds("a");
    const [generation] = await connection.hmget(keys.meta, "generation");
    const renamed = await moveIds(`${keys.ids}:${generation}:`, `${keys.ids}:${Number(generation) - 1}:`);

    const [known] = await appendIds("a");
    const ttl = await connection.pttl(renamed);
    await moveIds(`${keys.ids}:${Number(generation) - 1}:`, `${keys.ids}:${Number(generation) - 2}:`);
    const [forgotten] = await appendIds("a");

    expect(known?.kind).toBe("known");
    expect(ttl).toBeGreaterThan(project.dedupeWindowMs);
    expect(forgotten?.kind).toBe("added");

    async function moveIds(from: string, to: string): Promise<Buffer> {
      const all = await connection.keysBuffer(`${keys.ids}:*`);
      const [key] = all.filter((name) => name.toString("latin1").startsWith(from));
      if (key === undefined) throw new Error("no ids are remembered");
      const target = Buffer.concat([Buffer.from(to), key.subarray(from.length)]);
      await connection.rename(key, target);
      return target;
    }
  });

  it.each([
    ["less than a window ago", 0.9, "known"],
    ["a window ago", 1.1, "known"],
    ["two windows ago", 2.1, "added"],
  ])("knows an id of a generation that began %s", async (_, windows, kind) => {
    const { appendIds, connection, keys, project } = setUp();
    await appendIds("a");
    await connection.hset(keys.meta, "generation_ms", Date.now() - windows * project.dedupeWindowMs);

    const [, again] = await appendIds("b", "a");

    expect(again?.kind).toBe(kind);
  });

  it("begins a generation a window from now when the clock was set back", async () => {
    const { appendIds, connection, keys } = setUp();
    await appendIds("a");
    await connection.hset(keys.meta, "generation_ms", Date.now() + 10 * 365 * 24 * 60 * 60 * 1000);

    const [, again] = await appendIds("b", "a");

    expect(again?.kind).toBe("known");
    expect(Number(await connection.hget(keys.meta, "generation_ms"))).toBeLessThanOrEqual(Date.now());
  });

  it("keeps reading what it remembered when the window changes", async () => {
    const { append, appendIds, project } = setUp();
    await appendIds("a");
    const changed = { ...project, dedupeWindowMs: project.dedupeWindowMs / 2 };

    const [outcome] = await append(changed, [{ event: eventToAppend("a"), entrance: "grpc" }]);

    expect(outcome?.kind).toBe("known");
  });

  it("names the data set again when only its name was lost", async () => {
    const { appendIds, connection, keys } = setUp();
    await appendIds("a");
    await connection.del(keys.meta);

    const [first] = await appendIds("a");
    const [second] = await appendIds("a");

    expect(first?.kind).toBe("known");
    expect(second?.position.epoch).toBe(first?.position.epoch);
  });

  it("leaves nothing behind when Redis is out of memory", async () => {
    const { appendIds, connection, keys } = setUp();
    await connection.config("SET", "maxmemory", "1");

    await expect(appendIds("a", "b")).rejects.toThrow(/^OOM/);
    await connection.config("SET", "maxmemory", "0");

    expect(await connection.keys(`${keys.events.split("}")[0]}}*`)).toEqual([]);
    expect((await appendIds("a"))[0]?.kind).toBe("added");
  });
});
