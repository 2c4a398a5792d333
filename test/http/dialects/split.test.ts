import type { JsonValue } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { SluiceError } from "../../../src/domain/errors.ts";
import type { OfferedEvent } from "../../../src/domain/event.ts";
import type { EventOutcome } from "../../../src/domain/outcome.ts";
import type { Offer, TrackEndpoint } from "../../../src/http/dialect.ts";
import { split } from "../../../src/http/dialects/split.ts";

const position = { epoch: "epochepoch12", ms: 1, seq: 0 };
const accepted: EventOutcome = { kind: "accepted", id: "", position };
const duplicate: EventOutcome = { kind: "duplicate", id: "", position };
const rejected: EventOutcome = {
  kind: "rejected",
  id: "",
  reason: "EVENT_INVALID",
  violation: { field: "key", message: "is required" },
};
const throttled: EventOutcome = { kind: "throttled", id: "", retryDelayMs: 1500 };
const failed: EventOutcome = { kind: "failed", id: "", error: new SluiceError("STORAGE_FULL", "full") };

const sample = {
  eventTypeId: "page_latency",
  trafficTypeName: "user",
  key: "Liam",
  timestamp: "1645557823",
  value: 3.85,
  properties: { country: "CA" },
};

function endpoint(path: string): TrackEndpoint {
  const found = split.endpoints.find((one) => one.path === path);
  if (found?.kind !== "track") throw new Error(`${path} takes no events`);
  return found;
}

function read(path: string, body: JsonValue, key = ""): Offer {
  return endpoint(path).read({
    params: {},
    query: new URLSearchParams(),
    headers: {},
    body,
    isForm: false,
    environment: "",
    nowMs: 0,
    eventId: (index) => (key === "" ? "" : `${key}/${index}`),
  });
}

function readOne(body: JsonValue): OfferedEvent | undefined {
  const { events } = read("/api/events", body);
  expect(events).toHaveLength(1);
  return events[0];
}

const refusalOf = (body: JsonValue) => {
  const event = readOne(body);
  return event !== undefined && "refusal" in event ? event.refusal.violation : undefined;
};

describe("an event of Split", () => {
  it("is read with all that it says", () => {
    expect(readOne({ ...sample, environmentName: "production" })).toMatchObject({
      name: "page_latency",
      identities: { user: "Liam" },
      time: { seconds: 1_645_557_823n, nanos: 0 },
      value: 3.85,
      properties: { country: "CA" },
      environment: "production",
    });
  });

  it.each<[string, object]>([
    ["without what is optional", { timestamp: undefined, value: undefined, properties: undefined }],
    ["with null for what is optional", { timestamp: null, value: null, properties: null, environmentName: null }],
  ])("is read %s", (_, fields) => {
    const event = readOne(JSON.parse(JSON.stringify({ ...sample, ...fields })));

    expect(event).toMatchObject({ name: "page_latency", environment: "" });
    expect(Object.keys(event ?? {})).not.toEqual(expect.arrayContaining(["time"]));
    expect(event).not.toHaveProperty("value");
    expect(event).not.toHaveProperty("properties");
  });

  it.each([
    [1_700_000_000_123, 1_700_000_000n, 123_000_000],
    ["1700000000123", 1_700_000_000n, 123_000_000],
    [1_700_000_000, 1_700_000_000n, 0],
    ["1700000000", 1_700_000_000n, 0],
  ])("has the time %j, in milliseconds or seconds", (timestamp, seconds, nanos) => {
    const { events, notices } = read("/api/events", { ...sample, timestamp });

    expect(events).toMatchObject([{ time: { seconds, nanos } }]);
    expect(notices).toEqual([]);
  });

  it("is understood in another unit, and that is told", () => {
    const { events, notices } = read("/api/events", { ...sample, timestamp: 1_700_000_000_123_456 });

    expect(events).toMatchObject([{ time: { seconds: 1_700_000_000n, nanos: 123_456_000 } }]);
    expect(notices).toEqual(["timestamp is in microseconds, not in milliseconds or seconds as documented: understood"]);
  });

  it.each<[JsonValue, string]>([
    ["  Liam ", "Liam"],
    [42, "42"],
    ["k".repeat(250), "k".repeat(250)],
  ])("has the key %j trimmed, as text", (key, id) => {
    expect(readOne({ ...sample, key })).toMatchObject({ identities: { user: id } });
  });

  it.each(["a", "A9", "purchase:refund", "a-b_c.d", "x".repeat(80)])("may be called %s", (eventTypeId) => {
    expect(readOne({ ...sample, eventTypeId })).toMatchObject({ name: eventTypeId });
  });

  it.each<[string, JsonValue, string]>([
    ["an event that is no object", [sample], ""],
    ["no event", null, ""],
    ["no eventTypeId", { ...sample, eventTypeId: null }, "eventTypeId"],
    ["a number as eventTypeId", { ...sample, eventTypeId: 1 }, "eventTypeId"],
    ["an eventTypeId of 81 characters", { ...sample, eventTypeId: "x".repeat(81) }, "eventTypeId"],
    ["an eventTypeId with a space", { ...sample, eventTypeId: "page load" }, "eventTypeId"],
    ["an eventTypeId that ends with a line feed", { ...sample, eventTypeId: "page\n" }, "eventTypeId"],
    ["no trafficTypeName", { ...sample, trafficTypeName: "" }, "trafficTypeName"],
    ["a trafficTypeName that is no text", { ...sample, trafficTypeName: {} }, "trafficTypeName"],
    ["no key", { ...sample, key: " " }, "key"],
    ["a key that is no text", { ...sample, key: ["Liam"] }, "key"],
    ["a key that is a number with too many digits", { ...sample, key: 2 ** 60 }, "key"],
    ["a key that is no finite number", { ...sample, key: Number("1e400") }, "key"],
    ["a key with a control character", { ...sample, key: "a\u0000" }, "key"],
    ["a key that is not valid Unicode", { ...sample, key: "\ud800" }, "key"],
    ["a key of 251 characters", { ...sample, key: "k".repeat(251) }, "key"],
    ["a value that is no number", { ...sample, value: "3.85" }, "value"],
    ["properties that are a list", { ...sample, properties: [] }, "properties"],
    ["a property that is an object", { ...sample, properties: { a: {} } }, "properties.a"],
    ["a property that is a list", { ...sample, properties: { a: [] } }, "properties.a"],
    [
      "a property that is an object, of a broken name",
      { ...sample, properties: { "\ud800": {} } },
      "properties.\ufffd",
    ],
    ["properties of more than 31 KiB", { ...sample, properties: { a: "x".repeat(15_872) } }, "properties"],
    ["a time in 1970", { ...sample, timestamp: 0 }, "timestamp"],
    ["a time that is none", { ...sample, timestamp: "yesterday" }, "timestamp"],
    ["a time that is an object", { ...sample, timestamp: {} }, "timestamp"],
    ["an environmentName that is no text", { ...sample, environmentName: 1 }, "environmentName"],
  ])("is refused with %s", (_, body, field) => {
    expect(refusalOf(body)).toMatchObject({ field });
  });

  it.each([
    ["the environment that it names", "production", "production"],
    ["none where it names none", undefined, undefined],
    ["none that is too long to be one", "x".repeat(65), undefined],
    ["none that is no text", 1, undefined],
  ])("that is refused keeps %s, for those who look for it there", (_, environmentName, environment) => {
    const event = readOne(JSON.parse(JSON.stringify({ ...sample, key: "", environmentName })));

    expect(event).toHaveProperty("refusal");
    expect(event).toEqual(expect.objectContaining({ sent: expect.stringContaining('"eventTypeId":"page_latency"') }));
    expect(event !== undefined && "sent" in event ? event.environment : "not refused").toBe(environment);
  });

  it("is read or refused whatever it is", () => {
    const item = fc.oneof(
      fc.jsonValue(),
      fc.record(
        {
          eventTypeId: fc.jsonValue(),
          trafficTypeName: fc.jsonValue(),
          key: fc.jsonValue(),
          timestamp: fc.jsonValue(),
          value: fc.jsonValue(),
          properties: fc.jsonValue(),
          environmentName: fc.jsonValue(),
        },
        { requiredKeys: [] },
      ),
      fc
        .tuple(fc.constantFrom(...Object.keys(sample)), fc.jsonValue())
        .map(([key, value]) => ({ ...sample, [key]: value })),
    );
    fc.assert(
      fc.property(fc.array(item), (items) => {
        const body: JsonValue = JSON.parse(JSON.stringify(items));
        expect(read("/api/events/bulk", body).events).toHaveLength(items.length);
      }),
    );
  });
});

describe("Split's list of events", () => {
  it("gives each event its id by the key of the request", () => {
    expect(read("/api/events/bulk", [sample, sample], "k").events).toMatchObject([{ id: "k/0" }, { id: "k/1" }]);
  });

  it("is read from a beacon, whose key is in its body", () => {
    const beacon = endpoint("/api/events/beacon");
    const body = { entries: [sample], token: "secret", sdk: "javascript-1.0" };

    expect(beacon.keyInBody?.(body)).toBe("secret");
    expect(beacon.keyInBody?.({ entries: [] })).toBeUndefined();
    expect(read("/api/events/beacon", body).events).toMatchObject([{ name: "page_latency" }]);
  });

  it.each<[string, JsonValue]>([
    ["/api/events/bulk", sample],
    ["/api/events/bulk", null],
    ["/api/events/beacon", { token: "secret" }],
    ["/api/events/beacon", [sample]],
  ])("of %s is refused when it is none", (path, body) => {
    expect(() => read(path, body)).toThrow("the events are not a list");
  });

  it("is refused with more than 50,000 events", () => {
    expect(() => read("/api/events/bulk", Array(50_001).fill(0))).toThrow("more than 50000 events");
  });

  it.each<[string, EventOutcome[], object]>([
    ["all are stored", [accepted, duplicate], { status: 202 }],
    ["there are none", [], { status: 202 }],
    [
      "some are rejected",
      [accepted, rejected],
      {
        status: 207,
        body: {
          code: 207,
          message: "1 of 2 events were not stored",
          failures: [{ index: 1, field: "key", reason: "EVENT_INVALID", message: "is required" }],
        },
      },
    ],
    [
      "some have to come again",
      [duplicate, throttled, failed],
      {
        status: 207,
        body: {
          code: 207,
          message: "2 of 3 events were not stored",
          failures: [
            { index: 1, reason: "RATE_LIMITED", message: "may be sent again after 1500 ms" },
            { index: 2, reason: "STORAGE_FULL", message: "full" },
          ],
        },
      },
    ],
    ["all are rejected", [rejected], { status: 400, body: { code: 400, failures: [{ index: 0 }] } }],
  ])("is answered when %s", (_, outcomes, reply) => {
    const offer = read(
      "/api/events/bulk",
      outcomes.map(() => sample),
    );

    expect(offer.answer({ outcomes, quotas: [] }, 0)).toMatchObject(reply);
  });

  it("names each event that is not stored, however many there are", () => {
    const { events, answer } = read("/api/events/bulk", Array(5000).fill({}));
    const outcomes = [accepted, ...events.slice(1).map(() => rejected)];

    const { body } = answer({ outcomes, quotas: [] }, 0);
    const failures = z.object({ failures: z.array(z.object({ index: z.number() })) }).parse(body).failures;
    expect(failures.map(({ index }) => index)).toEqual(Array.from({ length: 4999 }, (_, i) => i + 1));
  });
});

describe("Split's words", () => {
  it.each([
    ["name", "eventTypeId"],
    ["time", "timestamp"],
    ["time.nanos", "timestamp.nanos"],
    ["environment", "environmentName"],
    ['identities["user"]', "trafficTypeName"],
    ["identities", "trafficTypeName"],
    ["properties.country", "properties.country"],
    ["id", "Idempotency-Key"],
  ])("call %s %s", (field, name) => {
    expect(split.fieldName(field)).toBe(name);
  });

  it("name the field at fault", () => {
    const violations = [{ field: "eventTypeId", message: "is wrong" }];
    const refusal = { status: 400, reason: "EVENT_INVALID", message: "name is wrong", quotas: [] } as const;

    expect(split.refuse({ ...refusal, violations, retryDelayMs: undefined })).toEqual({
      status: 400,
      body: { code: 400, message: "eventTypeId is wrong", field: "eventTypeId" },
    });
  });

  it("are none for a key that is not known", () => {
    const refusal = {
      reason: "KEY_INVALID",
      message: "",
      violations: [],
      retryDelayMs: undefined,
      quotas: [],
    } as const;

    expect(split.refuse({ ...refusal, status: 401 })).toEqual({ status: 401 });
    expect(split.refuse({ ...refusal, status: 403, message: "no" })).toEqual({
      status: 403,
      body: { code: 403, message: "no" },
    });
  });

  it("say what the tightest rate limit has left", () => {
    const limit = { events: 30, perMs: 60_000 };
    const quotas = [
      { limit, remaining: 7, resetAfterMs: 2500 },
      { limit: { events: 100, perMs: 1000 }, remaining: 90, resetAfterMs: 10 },
    ];

    expect(split.quotaHeaders?.(quotas)).toEqual({
      "x-ratelimit-remaining-org": "7",
      "x-ratelimit-remaining-ip": "7",
      "x-ratelimit-reset-seconds-org": "3",
      "x-ratelimit-reset-seconds-ip": "3",
    });
    expect(split.quotaHeaders?.([])).toEqual({});
  });
});
