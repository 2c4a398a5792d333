import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toSluiceError } from "../../../src/domain/errors.ts";
import type { EventOutcome } from "../../../src/domain/outcome.ts";
import { prepareEvent } from "../../../src/domain/prepare-event.ts";
import type { ListEndpoint, ListedEvent, Offer, Reply, TrackEndpoint } from "../../../src/http/dialect.ts";
import { oppizi } from "../../../src/http/dialects/oppizi.ts";
import type { EventFields } from "../../../src/http/new-event.ts";
import { newEvent } from "../../../src/http/new-event.ts";
import { toRefusal } from "../../../src/http/refusal.ts";
import { renameOutcome } from "../../../src/http/rename-fault.ts";
import { newProject } from "../../support/events.ts";

const receivedMs = Date.UTC(2026, 0, 31, 12, 0, 0, 7);
const createdAt = "2026-01-31T12:00:00.007Z";
const position = { epoch: "abcdefghijkl", ms: receivedMs, seq: 1 };

const [create, list] = endpoints();

function endpoints(): [TrackEndpoint, ListEndpoint] {
  const [first, second] = oppizi.endpoints;
  if (first?.kind !== "track" || second?.kind !== "list") throw new Error("other endpoints");
  return [first, second];
}

function offer(body: JsonValue): Offer {
  return create.read({
    params: {},
    query: new URLSearchParams(),
    headers: {},
    body,
    isForm: false,
    environment: "",
    nowMs: receivedMs,
    eventId: (index) => `key/${index}`,
  });
}

/** The reply to a body, once storage has answered; a refused event never gets there. */
function answer(body: JsonValue, outcome: EventOutcome = { kind: "accepted", id: "key/0", position }): Reply {
  const { events, answer } = offer(body);
  const prepared = events.map((event) => prepareEvent(event, receivedMs, { project: newProject(), environments: [] }));
  const outcomes = prepared.map((event, i) => renameOutcome(oppizi, "bytes" in event ? outcome : event, events[i]));
  return reply(() => answer({ outcomes, quotas: [] }, receivedMs));
}

function reply(serve: () => Reply): Reply {
  try {
    return serve();
  } catch (thrown) {
    return oppizi.refuse(toRefusal(thrown));
  }
}

const refused = (status: number, error: string): Reply => ({ status, body: { success: false, error } });

const listing = (query: string) => list.read({ params: {}, query: new URLSearchParams(query), headers: {} });

const valid = { eventName: "Purchase", value: 250 };

const absent = {
  transactionId: null,
  currency: null,
  userId: null,
  campaignId: null,
  metricId: null,
  coupon: null,
  metadata: {},
};

const notScalar = "metadata.a is not a text, a number, a boolean or a list of those";

/** What is looked for by `metadata.a=1&metadata.b=&metadata.a=x&metadata.c.d=y`. */
const texts = { a: ["1", "x"], b: [""], "c.d": ["y"] };

const entries = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, i]));

describe("creating an event", () => {
  it.each<[what: string, body: JsonObject, fields: Partial<EventFields>]>([
    ["the vendor's first sample", { ...valid, metadata: { orderId: 182394 } }, { properties: { orderId: 182394 } }],
    ["nothing but what is required", valid, {}],
    ["a value of zero", { ...valid, value: 0 }, { value: 0 }],
    ["null for what is optional", { ...valid, metadata: null, userId: null, coupon: null }, {}],
    ["empty metadata", { ...valid, metadata: {} }, {}],
    ["unknown fields", { ...valid, createdAt: "2020-01-01", foo: { bar: 1 } }, {}],
    ["a text as user", { ...valid, userId: "u1" }, { identities: { user: "u1" } }],
    ["a number as user", { ...valid, userId: 182394 }, { identities: { user: "182394" } }],
    [
      "texts, numbers, booleans and lists of them as metadata",
      { ...valid, metadata: { a: "", b: 1.5, c: false, d: ["x", 2, true], e: [], ["__proto__"]: "p" } },
      { properties: { a: "", b: 1.5, c: false, d: ["x", 2, true], e: [], ["__proto__"]: "p" } },
    ],
    [
      "the fields of the newer API",
      { ...valid, transactionId: "t", currency: "EUR", campaignId: 1, metricId: 2, coupon: "c", metadata: { a: 1 } },
      { properties: { a: 1, transactionId: "t", currency: "EUR", campaignId: 1, metricId: 2, coupon: "c" } },
    ],
    [
      "a field that metadata has too",
      { ...valid, currency: "EUR", metadata: { currency: "EUR" } },
      { properties: { currency: "EUR" } },
    ],
  ])("takes %s", (_, body, fields) => {
    const expected = newEvent({ id: "key/0", name: "Purchase", value: 250, ...fields });

    expect(offer(body).events).toEqual([expected]);
    expect(answer(body).status).toBe(201);
  });

  it.each<[what: string, body: JsonValue, error: string]>([
    ["a text for a body", "x", "the event is not a JSON object"],
    ["a list for a body", [valid], "the event is not a JSON object"],
    ["null for a body", null, "the event is not a JSON object"],
    ["no name", { value: 1 }, "eventName is required"],
    ["an empty name", { ...valid, eventName: "" }, "eventName is required"],
    ["a number as name", { ...valid, eventName: 1 }, "eventName is not a text"],
    ["a long name", { ...valid, eventName: "x".repeat(257) }, "eventName is longer than 256 characters"],
    ["no value", { eventName: "x" }, "value is required"],
    ["null for a value", { ...valid, value: null }, "value is required"],
    ["a text as value", { ...valid, value: "250" }, "value is not a number"],
    ["a value beyond numbers", { ...valid, value: JSON.parse("1e999") }, "value is not finite"],
    ["a list as user", { ...valid, userId: ["u"] }, "userId is neither a text nor a number"],
    [
      "a user beyond numbers",
      { ...valid, userId: JSON.parse("1e999") },
      "userId is a number too large to be exact: send it as a text",
    ],
    ["an empty user", { ...valid, userId: "" }, "userId is empty"],
    ["a long user", { ...valid, userId: "u".repeat(257) }, "userId is longer than 256 characters"],
    ["a boolean as coupon", { ...valid, coupon: true }, "coupon is not a text or number"],
    ["a huge coupon", { ...valid, coupon: "x".repeat(20_000) }, "coupon is larger than 16384 bytes"],
    ["a list as metadata", { ...valid, metadata: ["a"] }, "metadata is not an object"],
    ["a text as metadata", { ...valid, metadata: "a" }, "metadata is not an object"],
    ["51 entries of metadata", { ...valid, metadata: entries(51) }, "metadata has more than 50 entries"],
    ["an empty key", { ...valid, metadata: { "": 1 } }, "metadata has an empty key"],
    ["a long key", { ...valid, metadata: { ["🛝".repeat(41)]: 1 } }, "metadata has a key longer than 40 characters"],
    ["a broken key", { ...valid, metadata: { "\ud800": {} } }, "metadata has a key that is not valid Unicode"],
    ["a long text", { ...valid, metadata: { a: "🛝".repeat(257) } }, "metadata.a is longer than 256 characters"],
    [
      "a long text in a list",
      { ...valid, metadata: { a: ["x".repeat(257)] } },
      "metadata.a is longer than 256 characters",
    ],
    ["a broken text", { ...valid, metadata: { a: "\ud800" } }, "metadata.a is not valid Unicode"],
    ["a long list", { ...valid, metadata: { a: Array(9000).fill(1) } }, "metadata.a is larger than 16384 bytes"],
    ["null in metadata", { ...valid, metadata: { a: null } }, notScalar],
    ["an object in metadata", { ...valid, metadata: { a: {} } }, notScalar],
    ["a list in a list", { ...valid, metadata: { a: [[]] } }, notScalar],
    [
      "a field that metadata has with another value",
      { ...valid, currency: "1", metadata: { currency: 1 } },
      "currency is not the same as metadata.currency",
    ],
  ])("refuses %s", (_, body, error) => {
    expect(answer(body)).toEqual(refused(400, error));
  });

  it("takes metadata of 50 entries, with keys of 40 and values of 256 characters", () => {
    const metadata = { ...entries(49), ["🛝".repeat(40)]: ["🛝".repeat(256), "x".repeat(256)] };

    expect(answer({ ...valid, metadata }).status).toBe(201);
  });

  it("answers with the event", () => {
    const body = { ...valid, transactionId: "t1", userId: 7, metadata: { a: ["x"] } };

    expect(answer(body)).toEqual({
      status: 201,
      body: {
        success: true,
        data: {
          ...absent,
          id: "key/0",
          eventName: "Purchase",
          value: 250,
          transactionId: "t1",
          userId: "7",
          metadata: { a: ["x"], transactionId: "t1" },
          createdAt,
        },
      },
    });
  });

  it("answers a duplicate with 200, and with when the event was stored", () => {
    const first = { ...position, ms: receivedMs - 60_000 };

    expect(answer(valid, { kind: "duplicate", id: "key/0", position: first })).toEqual({
      status: 200,
      body: { success: true, data: { ...absent, ...valid, id: "key/0", createdAt: "2026-01-31T11:59:00.007Z" } },
    });
  });

  it.each<[what: string, outcome: EventOutcome, expected: Reply]>([
    [
      "throttled",
      { kind: "throttled", id: "", retryDelayMs: 1 },
      refused(429, "a rate limit of the project is used up"),
    ],
    [
      "in conflict with another",
      { kind: "rejected", id: "", reason: "ID_CONFLICT", violation: { field: "id", message: "was used before" } },
      refused(409, "Idempotency-Key was used before"),
    ],
    ["lost", { kind: "failed", id: "", error: toSluiceError(undefined) }, refused(500, "internal error")],
  ])("fails for an event that is %s", (_, outcome, expected) => {
    expect(answer(valid, outcome)).toEqual(expected);
  });

  it("never throws, whatever the body, and refuses only with a reason", () => {
    const field = fc.constantFrom("eventName", "value", "userId", "metadata", "coupon", "other");
    const body = fc.oneof(fc.jsonValue(), fc.dictionary(field, fc.jsonValue()));
    fc.assert(
      fc.property(body, fc.boolean(), (json, isValid) => {
        const sent = JSON.parse(JSON.stringify(isValid && typeof json === "object" ? { ...json, ...valid } : json));
        const { status, body } = answer(sent);
        expect([201, 400]).toContain(status);
        expect(body).toMatchObject(status === 201 ? { success: true } : { success: false, error: expect.any(String) });
      }),
    );
  });
});

describe("listing events", () => {
  const everything = {
    filter: { names: [], environment: "", values: [], properties: new Map(), includeTest: false },
    order: "newest-first",
    pageSize: 20,
  };

  it.each<[query: string, expected: object]>([
    ["", everything],
    ["unknown=1&metadata=2", everything],
    ["limit=&value=&eventName=", everything],
    ["limit=1", { ...everything, pageSize: 1 }],
    ["limit=100", { ...everything, pageSize: 100 }],
    ["eventName=a&eventName=b", { ...everything, filter: { ...everything.filter, names: ["a", "b"] } }],
    ["value=-1.5&value=0&value=1e3", { ...everything, filter: { ...everything.filter, values: [-1.5, 0, 1000] } }],
    [
      "metadata.a=1&metadata.b=&metadata.a=x&metadata.c.d=y",
      { ...everything, filter: { ...everything.filter, properties: new Map(Object.entries(texts)) } },
    ],
  ])("reads ?%s", (query, expected) => {
    expect(listing(query)).toMatchObject({ query: expected, after: undefined });
  });

  it.each([
    ["", undefined],
    ["startingAfter=", undefined],
    ["startingAfter=abc", "abc"],
  ])("goes on where ?%s says", (query, after) => {
    expect(listing(query).after).toBe(after);
  });

  it.each([
    ...["0", "101", "-1", "1.5", "x", "1e1", " 5", "99999999999999999999"].map(
      (limit) => [`limit=${limit}`, "limit is not a whole number from 1 to 100"] as const,
    ),
    ...["x", "0x10", "Infinity", "NaN", "1e999", " 1", "1&value=x"].map(
      (value) => [`value=${value}`, "value is not a number"] as const,
    ),
  ])("refuses ?%s", (query, error) => {
    expect(reply(() => listing(query).answer({ events: [], next: undefined }))).toEqual(refused(400, error));
  });

  const listed = (fields: EventFields): ListedEvent => ({ id: "e1", receivedMs, event: newEvent(fields) });

  it.each<[what: string, fields: EventFields, expected: JsonObject]>([
    ["of its own", { name: "n", value: 0, identities: { user: "u" } }, { value: 0, userId: "u" }],
    ["without a value", { name: "n", identities: { account: "a" } }, { value: null, userId: null }],
    [
      "with fields of the newer API",
      { name: "n", properties: { campaignId: 3, currency: "EUR" } },
      { value: null, campaignId: 3, currency: "EUR", metadata: { campaignId: 3, currency: "EUR" } },
    ],
    [
      "whose properties are of other forms",
      { name: "n", properties: { coupon: ["a"], currency: { a: null }, metricId: true } },
      { value: null, metadata: { coupon: ["a"], currency: { a: null }, metricId: true } },
    ],
  ])("shows an event %s", (_, fields, expected) => {
    const { body } = listing("").answer({ events: [listed(fields)], next: undefined });

    expect(body).toEqual({
      success: true,
      data: {
        nodes: [{ ...absent, id: "e1", eventName: "n", createdAt, ...expected }],
        totalCount: 1,
        startingAfter: null,
      },
    });
  });

  it.each([
    ["", undefined, { totalCount: 2, startingAfter: null }],
    ["", "next", { totalCount: null, startingAfter: "next" }],
    ["startingAfter=x", undefined, { totalCount: null, startingAfter: null }],
    ["startingAfter=x", "next", { totalCount: null, startingAfter: "next" }],
  ])("counts what it knows of: ?%s, and then %s", (query, next, expected) => {
    const events = [listed({ name: "a" }), listed({ name: "b" })];

    expect(listing(query).answer({ events, next }).body).toMatchObject({ success: true, data: expected });
  });
});

describe("refusals", () => {
  const refusal = { message: "the message", violations: [], retryDelayMs: undefined, quotas: [] };

  it.each([
    [401, "KEY_MISSING", "Unauthorized"],
    [401, "KEY_INVALID", "Unauthorized"],
    [403, "PERMISSION_MISSING", "Forbidden"],
    [400, "PAGE_TOKEN_INVALID", "startingAfter is not from a page of this list"],
    [405, "METHOD_NOT_ALLOWED", "the message"],
    [503, "STORAGE_UNAVAILABLE", "the message"],
  ] as const)("answers %i for %s in the vendor's shape", (status, reason, error) => {
    expect(oppizi.refuse({ ...refusal, status, reason })).toEqual(refused(status, error));
  });

  it("says why there is no PUT", () => {
    for (const { refusedMethods } of [create, list]) expect(refusedMethods?.PUT).toMatch(/append-only/);
  });

  it.each([
    ["name", "eventName"],
    ["value", "value"],
    ["id", "Idempotency-Key"],
    ['identities["user"]', "userId"],
    ["identities", "userId"],
    ["properties", "metadata"],
    ["properties.a.b", "metadata.a.b"],
    ["properties.name", "metadata.name"],
    ["properties.coupon", "coupon"],
    ["properties.coupons", "metadata.coupons"],
    ["environment", "environment"],
    ["filter.names", "eventName"],
    ["filter.names[3]", "eventName"],
    ["filter.values[0]", "value"],
    ["filter.properties", "metadata"],
    ['filter.properties["a"b"]', 'metadata.a"b'],
    ["page_token", "startingAfter"],
    ["page_size", "limit"],
  ])("names the field %s %s", (field, name) => {
    expect(oppizi.fieldName(field)).toBe(name);
  });

  it("name the field at fault as they are told it", () => {
    const violations = [{ field: "metadata.a", message: "is looked for 101 times" }];

    expect(oppizi.refuse({ ...refusal, status: 400, reason: "FILTER_INVALID", violations })).toEqual(
      refused(400, "metadata.a is looked for 101 times"),
    );
  });
});
