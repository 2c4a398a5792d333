import { toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TrackResponseSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import type { StoredAnswer } from "../../src/domain/track.ts";
import { encodeTrackAnswer } from "../../src/rpc/encode-track-answer.ts";
import { toTrackResponse } from "../../src/rpc/track-response.ts";

const quota = fc.record({
  limit: fc.record({ events: fc.integer({ min: 1 }), perMs: fc.integer({ min: 1 }) }),
  remaining: fc.nat(),
  resetAfterMs: fc.nat(),
});

const uint48 = fc.nat({ max: 2 ** 48 - 1 });

const answer: fc.Arbitrary<StoredAnswer> = fc.record({
  outcome: fc.record({
    kind: fc.constantFrom("accepted" as const, "duplicate" as const),
    id: fc.string({ unit: "grapheme", maxLength: 128 }).map((id) => id.toWellFormed()),
    position: fc.record({
      epoch: fc.stringMatching(/^[A-Za-z0-9_-]{12}$/),
      ms: fc.oneof(
        uint48,
        uint48.map((ms) => ms - (ms % 1000)),
        fc.nat({ max: 2000 }),
      ),
      seq: uint48,
    }),
  }),
  quotas: fc.array(quota, { maxLength: 2 }),
});

describe("encodeTrackAnswer", () => {
  it("encodes as the library does", () => {
    fc.assert(
      fc.property(answer, (stored) => {
        const encoded = toBinary(TrackResponseSchema, toTrackResponse(stored));

        expect([...encodeTrackAnswer(stored)]).toEqual([...encoded]);
        // What is remembered of the quota is the same again.
        expect([...encodeTrackAnswer(stored)]).toEqual([...encoded]);
      }),
      { numRuns: 1000 },
    );
  });
});
