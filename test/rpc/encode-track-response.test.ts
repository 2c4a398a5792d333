import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TrackResponseSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import { encodeTrackResponse } from "../../src/rpc/encode-track-response.ts";
import { toQuotaMessage } from "../../src/rpc/quota-message.ts";

const quota = fc.record({
  limit: fc.record({ events: fc.integer({ min: 1 }), perMs: fc.integer({ min: 1 }) }),
  remaining: fc.nat(),
  resetAfterMs: fc.nat(),
});

const response = fc.record(
  {
    id: fc.string({ unit: "grapheme", maxLength: 128 }).map((id) => id.toWellFormed()),
    cursor: fc.string({ unit: "grapheme-ascii", maxLength: 200 }),
    duplicate: fc.boolean(),
    receiveTime: fc.nat({ max: Number.MAX_SAFE_INTEGER }).map((ms) => timestampFromMs(ms)),
    quota: quota.map(toQuotaMessage),
  },
  { requiredKeys: [] },
);

describe("encodeTrackResponse", () => {
  it("encodes as the library does", () => {
    fc.assert(
      fc.property(response, (init) => {
        const message = create(TrackResponseSchema, init);

        expect([...encodeTrackResponse(message)]).toEqual([...toBinary(TrackResponseSchema, message)]);
      }),
      { numRuns: 500 },
    );
  });
});
