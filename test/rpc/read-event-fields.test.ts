import { fromBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readEventFields } from "../../src/rpc/read-event-fields.ts";
import type { WireTrackManyRequest } from "../../src/rpc/wire-service.ts";
import { WireEventService } from "../../src/rpc/wire-service.ts";
import { field, join, varint } from "../support/wire-fields.ts";

const input = WireEventService.method.trackMany?.input;

/** What the decoder finds; undefined of what is no message. */
function decode(bytes: Uint8Array): readonly Uint8Array[] | undefined {
  if (input === undefined) throw new Error("the contract lacks TrackMany");
  try {
    return (fromBinary(input, bytes) as unknown as WireTrackManyRequest).events;
  } catch {
    return undefined;
  }
}

const plain = (events: readonly Uint8Array[] | undefined) => events?.map((event) => [...event]);

describe("readEventFields", () => {
  it("finds the events that the decoder finds", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 }), (events) => {
        const bytes = join(...events.map((event) => field(1, event)));

        expect(plain(readEventFields(bytes, 500))).toEqual(plain(decode(bytes)));
      }),
    );
  });

  it("never finds others in any bytes", () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 6 }),
      fc.uint8Array({ maxLength: 6 }).map((event) => field(1, event)),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
        const bytes = join(...pieces);
        const found = readEventFields(bytes, 500);
        if (found !== undefined) expect(plain(found)).toEqual(plain(decode(bytes)));
      }),
      { numRuns: 500 },
    );
  });

  it("leaves a request with anything else to the decoder", () => {
    expect(readEventFields(join(field(1, "a"), varint(2, 1)), 500)).toBeUndefined();
  });

  it("takes as many events as it may, and leaves more to the decoder", () => {
    const events = (count: number) => join(...Array.from({ length: count }, () => field(1, "a")));

    expect(readEventFields(events(3), 3)).toHaveLength(3);
    expect(readEventFields(events(4), 3)).toBeUndefined();
  });
});
