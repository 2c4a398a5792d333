import type { MessageInitShape } from "@bufbuild/protobuf";
import { create, equals, fromBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import {
  GetEventResponseSchema,
  ListEventsResponseSchema,
  TailEventsResponseSchema,
} from "../../gen/sluice/v1/event_service_pb.ts";
import { toCursor } from "../../src/domain/cursor.ts";
import type { StoredEvent } from "../../src/domain/ports.ts";
import {
  encodeGetEventResponse,
  encodeListEventsResponse,
  encodeTailEventsResponse,
} from "../../src/rpc/read-response.ts";
import { encodeEvent } from "../support/events.ts";

const position = fc.record({
  epoch: fc.constantFrom("e".repeat(12), "AAAAAAAAAAAA"),
  ms: fc.nat(2 ** 45),
  seq: fc.nat(),
});
/** Lengths around those at which the head of a field grows. */
const name = fc.oneof(
  fc.constantFrom(0, 40, 127, 128, 16_384).map((length) => "n".repeat(length)),
  fc.string(),
);

/** A stored event, and what a reader has to see of it. */
const stored = fc
  .record({
    name,
    id: fc.constantFrom("", "a"),
    position,
    entrance: fc.constantFrom("grpc" as const, "grpc-web" as const),
    timeMs: fc.option(fc.nat(2 ** 45), { nil: undefined }),
  })
  .map(({ name, id, position, entrance, timeMs }) => {
    const time = timeMs === undefined ? {} : { time: timestampFromMs(timeMs) };
    const receiveTime = timestampFromMs(position.ms);
    const event: StoredEvent = {
      position,
      bytes: encodeEvent({ name, id, ...time }),
      entrance,
      assignedId: id === "" ? "assigned" : undefined,
      isTimeAbsent: timeMs === undefined,
      isTest: false,
    };
    const seen: MessageInitShape<typeof EventSchema> = {
      name,
      id: id || "assigned",
      cursor: toCursor(position),
      receiveTime,
      entrance,
      time: receiveTime,
      ...time,
    };
    return { event, seen };
  });

const several = fc.array(stored, { maxLength: 5 });

describe("what a reader gets", () => {
  it("are the events as they were sent, with what the server knows of them: ListEvents", () => {
    fc.assert(
      fc.property(several, fc.constantFrom("", "next", "t".repeat(127)), (items, nextPageToken) => {
        const bytes = encodeListEventsResponse({ events: items.map(({ event }) => event), nextPageToken });
        const expected = create(ListEventsResponseSchema, { events: items.map(({ seen }) => seen), nextPageToken });

        expect(equals(ListEventsResponseSchema, fromBinary(ListEventsResponseSchema, bytes), expected)).toBe(true);
      }),
    );
  });

  it("are they, and how far the tail has come: TailEvents", () => {
    fc.assert(
      fc.property(several, position, (items, reached) => {
        const bytes = encodeTailEventsResponse({ events: items.map(({ event }) => event), reached });
        const events = items.map(({ seen }) => seen);
        const expected = create(TailEventsResponseSchema, { events, cursor: toCursor(reached) });

        expect(equals(TailEventsResponseSchema, fromBinary(TailEventsResponseSchema, bytes), expected)).toBe(true);
      }),
    );
  });

  it("is the one: GetEvent", () => {
    fc.assert(
      fc.property(stored, ({ event, seen }) => {
        const expected = create(GetEventResponseSchema, { event: seen });
        const found = fromBinary(GetEventResponseSchema, encodeGetEventResponse(event));

        expect(equals(GetEventResponseSchema, found, expected)).toBe(true);
      }),
    );
  });
});
