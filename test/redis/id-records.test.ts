import type { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import type { Position } from "../../src/domain/cursor.ts";
import type { ChunkOutcome, ChunkReply } from "../../src/redis/append-events.ts";
import { hashId } from "../../src/redis/id-hash.ts";
import type { ProjectKeys } from "../../src/redis/keys.ts";
import { createReadById } from "../../src/redis/read-by-id.ts";
import { createChunkAppender } from "../support/chunk-appender.ts";
import { useRedis } from "../support/use-redis.ts";

const redis = useRedis();

function setUp() {
  const connection = redis.connect();
  const appender = createChunkAppender(connection);
  return { connection, ...appender, readById: createReadById(connection) };
}

const known = (position: Position): ChunkOutcome => ({ kind: "known", position, isSamePayloadHash: true });

function positionsOf({ outcomes }: ChunkReply): Position[] {
  return outcomes.map((outcome) => {
    if (outcome.kind !== "added") throw new Error(`${outcome.kind} was not added`);
    return outcome.position;
  });
}

/** Where an id is remembered, and as what. */
async function readRecord(connection: Redis, { ids }: ProjectKeys, id: string) {
  const hash = hashId(id);
  // The only bucket of so few.
  const key = `${ids}:0:`;
  return { key, field: hash, record: await connection.hgetBuffer(key, hash) };
}

describe("a remembered id", () => {
  it("takes four bytes less below the 65,536th event of a millisecond", async () => {
    const { connection, keys, append } = setUp();
    await connection.xadd(keys.events, "99999999999999-65533", "added", "event");
    await append(["a", "b", "c", "d"]);

    const records = await Promise.all(["a", "b", "c", "d"].map((id) => readRecord(connection, keys, id)));

    expect(records.map(({ record }) => record?.length)).toEqual([16, 16, 20, 20]);
  });

  it.each([0, 1, 255, 65_533, 65_534, 65_535, 65_536, 16_777_215, 4_294_967_296])(
    "leads to its event behind the %ith of a millisecond",
    async (seq) => {
      const { connection, project, keys, append, readById } = setUp();
      await connection.xadd(keys.events, `99999999999999-${seq}`, "added", "event");

      const positions = positionsOf(await append(["a", "b", "c"]));

      expect(positions.map((position) => position.seq)).toEqual([seq + 1, seq + 2, seq + 3]);
      expect((await append(["a", "b", "c"])).outcomes).toEqual(positions.map(known));
      expect((await append(["a", "b", "c"], { isAtomic: true })).outcomes).toEqual(positions.map(known));
      for (const [i, id] of ["a", "b", "c"].entries()) {
        expect((await readById(project, id))?.position).toEqual(positions[i]);
      }
    },
  );

  it.each([false, true])(
    "is known by a record of 20 bytes, as they once all were; atomically: %s",
    async (isAtomic) => {
      const { connection, project, keys, append, readById } = setUp();
      const [position] = positionsOf(await append(["a"]));
      const { key, field, record } = await readRecord(connection, keys, "a");
      if (position === undefined || record === null) throw new Error("it was not remembered");
      const long = Buffer.concat([record.subarray(0, 14), Buffer.alloc(4), record.subarray(14)]);
      await connection.hset(key, new Map([[field, long]]));

      const { outcomes } = await append(["b", "a"], { isAtomic });

      expect(long).toHaveLength(20);
      expect(outcomes).toEqual([{ kind: "added", position: expect.anything() }, known(position)]);
      expect((await readById(project, "a"))?.position).toEqual(position);
    },
  );
});
