import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assignId } from "../../src/domain/event.ts";
import type { ChunkEvent } from "../../src/redis/append-events.ts";
import { createAppendEvents, encodeAppendCall } from "../../src/redis/append-events.ts";
import { encodeAdded } from "../../src/redis/entry.ts";
import { projectKeys } from "../../src/redis/keys.ts";
import { encodeEvent, newProject } from "../support/events.ts";
import { useRedis } from "../support/use-redis.ts";

const redis = useRedis();

/** Below, at and above the lengths that take another byte. */
const nameLength = fc.oneof(fc.nat(300), fc.constantFrom(65_500, 65_536, 70_000));

const chunkEvent = fc.record({
  event: fc
    .record({ isIdAssigned: fc.boolean(), isTimeAbsent: fc.boolean(), isTest: fc.boolean(), nameLength })
    .map(({ nameLength: length, ...flags }) => ({
      ...flags,
      id: assignId(),
      bytes: encodeEvent({ name: "n".repeat(length) }),
    })),
  entrance: fc.constantFrom("grpc", "connect", "split", "longest-of-names"),
});

describe("encodeEvents", () => {
  it("has the script store what the server adds to each event, and its bytes", async () => {
    const connection = redis.connect();
    const append = createAppendEvents(connection);
    await fc.assert(
      fc.asyncProperty(fc.array(chunkEvent, { minLength: 1, maxLength: 6 }), async (events: ChunkEvent[]) => {
        const project = newProject();
        const call = encodeAppendCall({ project, events, isAtomic: false }, { sender: "s", slot: 0, number: 1 });

        await append(call, false);

        const stored = await connection.xrangeBuffer(projectKeys(project.name).events, "-", "+");
        expect(stored.map(([, fields]) => fields)).toEqual(
          events.map(({ event, entrance }) => [encodeAdded(event, entrance), Buffer.from(event.bytes)]),
        );
      }),
      { numRuns: 30 },
    );
  });
});
