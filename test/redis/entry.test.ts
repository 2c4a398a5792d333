import { describe, expect, it } from "vitest";
import { assignId } from "../../src/domain/event.ts";
import { encodeAdded, toStoredEvent } from "../../src/redis/entry.ts";
import { eventToAppend } from "../support/events.ts";

const streamId = Buffer.from("1700000000000-7");

describe("a stream entry", () => {
  const entrances = ["grpc", "connect", "grpc-web", "dx", "bloomreach", "a-dialect-of-16c"];

  it.each(entrances)("keeps that an event came in by %s, with its id or without", (entrance) => {
    const sent = eventToAppend("a", { test: true });
    const assigned = { ...eventToAppend(""), id: assignId(), isIdAssigned: true };

    for (const event of [sent, assigned]) {
      const stored = toStoredEvent("epoch", streamId, [encodeAdded(event, entrance), Buffer.from(event.bytes)]);

      expect(stored).toMatchObject({
        position: { ms: 1_700_000_000_000, seq: 7 },
        entrance,
        assignedId: event.isIdAssigned ? event.id : undefined,
        isTest: event.isTest,
        isTimeAbsent: true,
      });
    }
  });

  it.each(["", "Split", "a-dialect-of-17-c", "dx\n"])("is not made for an entrance called %j", (entrance) => {
    expect(() => encodeAdded(eventToAppend("a"), entrance)).toThrow("no entrance can be called");
  });

  it.each([
    ["nothing", []],
    ["an entrance that is not known", [0, 3]],
    ["an entrance without a name", [0, 0x80]],
  ])("is not read with %s", (_, added) => {
    const read = () => toStoredEvent("epoch", streamId, [Buffer.from(added), Buffer.from("event")]);

    expect(read).toThrow("a stream entry is of another version");
  });
});
