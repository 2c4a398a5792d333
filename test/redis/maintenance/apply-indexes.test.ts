import { describe, expect, it } from "vitest";
import { planIndexes } from "../../../src/redis/index-plan.ts";
import { createApplyIndexes } from "../../../src/redis/maintenance/apply-indexes.ts";
import { useRedis } from "../../support/use-redis.ts";
import { createIndexedProject, everyIndex } from "./indexed-project.ts";

const redis = useRedis().connect();
const applyIndexes = createApplyIndexes(redis);

function planOf(...properties: string[]) {
  const plan = planIndexes(properties);
  return { plan, ids: plan.ids.slice(everyIndex.length) };
}

const status = planOf("status");
const tags = planOf("tags");
const statusId = status.ids[0] ?? "";
const tagsId = tags.ids[0] ?? "";

describe("applyIndexes", () => {
  it("leaves it to the first append when there are no events", async () => {
    const { keys, append, readSegments } = createIndexedProject(redis, { indexedProperties: ["status"] });

    expect(await applyIndexes(keys, tags.plan)).toBeUndefined();
    expect(await redis.exists(keys.meta)).toBe(0);

    await append(1);
    expect(await redis.hget(keys.meta, "indexes")).toBe(status.plan.text);
    expect((await readSegments())[0]?.[1]).toEqual([...everyIndex, statusId]);
  });

  it("stores the plan beside events from before there were indexes", async () => {
    const { keys, addBare } = createIndexedProject(redis);
    await addBare(["1-0"]);

    expect(await applyIndexes(keys, status.plan)).toEqual({ added: ["status"], removed: [] });
    expect(await redis.hget(keys.meta, "indexes")).toBe(status.plan.text);
  });

  it("changes nothing when the plan holds already", async () => {
    const { keys, append } = createIndexedProject(redis);
    await append(3);
    const before = await redis.hgetall(keys.meta);

    expect(await applyIndexes(keys, planOf().plan)).toBeUndefined();

    expect(await redis.hgetall(keys.meta)).toEqual(before);
  });

  it("has an added index begin with the next segment, which begins with the next event", async () => {
    const { keys, append, readSegments, readBuckets, modelBuckets } = createIndexedProject(redis);
    await append(3);
    const version = await redis.hget(keys.meta, "segments_version");

    expect(await applyIndexes(keys, status.plan)).toEqual({ added: ["status"], removed: [] });
    await append(3);

    expect((await readSegments()).map(([, ids]) => ids)).toEqual([everyIndex, [...everyIndex, statusId]]);
    expect(await readBuckets()).toEqual(await modelBuckets());
    expect(await redis.hget(keys.meta, "segments_version")).not.toBe(version);
  });

  it("has a removed index go from all segments, the current one of which goes on", async () => {
    const { keys, append, readSegments } = createIndexedProject(redis, { indexedProperties: ["status"] });
    await append(21);
    const bases = (await readSegments()).map(([base]) => base);
    const version = await redis.hget(keys.meta, "segments_version");

    expect(await applyIndexes(keys, planOf().plan)).toEqual({ added: [], removed: ["status"] });
    await append(3);

    expect(await readSegments()).toEqual(bases.map((base) => [base, everyIndex]));
    expect((await redis.smembers(keys.droppedIndexes)).sort()).toEqual(
      bases.map((base) => `${base}:${statusId}`).sort(),
    );
    expect(await redis.hget(keys.meta, "segments_version")).not.toBe(version);
  });

  it("has one index take the place of another, and come back", async () => {
    const { keys, append, readSegments } = createIndexedProject(redis, { indexedProperties: ["status"] });
    await append(3);

    expect(await applyIndexes(keys, tags.plan)).toEqual({ added: ["tags"], removed: ["status"] });
    await append(3);
    expect(await applyIndexes(keys, status.plan)).toEqual({ added: ["status"], removed: ["tags"] });
    await append(3);

    expect((await readSegments()).map(([, ids]) => ids)).toEqual([everyIndex, everyIndex, [...everyIndex, statusId]]);
    expect(await redis.smembers(keys.droppedIndexes)).toHaveLength(2);
    expect((await redis.smembers(keys.droppedIndexes)).map((one) => one.split(":")[1])).toContain(tagsId);
  });
});
