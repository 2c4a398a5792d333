import { isDeepStrictEqual } from "node:util";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { fromBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Event } from "../../../gen/sluice/v1/event_pb.ts";
import { EventSchema } from "../../../gen/sluice/v1/event_pb.ts";
import type { ErrorReason } from "../../../src/domain/errors.ts";
import { SluiceError } from "../../../src/domain/errors.ts";
import type { RequestHead, TrackRequest } from "../../../src/http/dialect.ts";
import { bloomreach } from "../../../src/http/dialects/bloomreach.ts";
import type { EventFields } from "../../../src/http/new-event.ts";
import { newEvent } from "../../../src/http/new-event.ts";
import { RequestRefused, toRefusal } from "../../../src/http/refusal.ts";
import { reverseKeys } from "../../support/reverse-keys.ts";
import type { Decide } from "../../support/serve-as-dialect.ts";
import {
  accept,
  findDuplicate,
  readRequest,
  replyTo,
  servedMs,
  trackEndpoint,
} from "../../support/serve-as-dialect.ts";
import { lesserKeys, testKey } from "../../support/test-keys.ts";
import { useDialects } from "../../support/use-dialects.ts";

const single = trackEndpoint(bloomreach, "bloomreach/customers/events");
const batch = trackEndpoint(bloomreach, "bloomreach/batch");

const timed = {
  customer_ids: { registered: "test@example.com" },
  event_type: "purchase",
  timestamp: 1_614_585_422.5,
  properties: { total_price: 7.99, voucher_code: "SPRING" },
};
const { timestamp, ...sample } = timed;
const event = { name: sample.event_type, identities: sample.customer_ids, properties: sample.properties };
const time = { $typeName: "google.protobuf.Timestamp", seconds: 1_614_585_422n, nanos: 500_000_000 } as const;

const replySingle = (body: JsonValue, decide?: Decide) => replyTo(bloomreach, single, { body }, decide);

/** The reply to a batch of commands, or of anything else. */
const replyBatch = (commands: JsonValue, decide?: Decide) => replyTo(bloomreach, batch, { body: { commands } }, decide);

const command = (data: JsonValue, others: JsonObject = {}): JsonObject => ({
  name: "customers/events",
  data,
  ...others,
});

const stored = { status: 200, body: { errors: [], success: true } };
const fault = (message: unknown) => ({ success: false, errors: [message] });

/** The only event that a body is read as. */
function readEvent(body: JsonValue, request: Partial<TrackRequest> = {}): Event {
  const [offered] = readRequest(single, { body, ...request }).events;
  if (offered === undefined || !("$typeName" in offered)) throw new Error("no event");
  return offered;
}

const throttle: Decide = ({ id }) => ({ kind: "throttled", id, retryDelayMs: 1200 });
const fill: Decide = ({ id }) => ({ kind: "failed", id, error: new SluiceError("STORAGE_FULL", "storage is full") });
const lose: Decide = ({ id }) => ({ kind: "failed", id, error: new SluiceError("OUTCOME_UNKNOWN", "perhaps stored") });

describe("an event", () => {
  it.each<[what: string, body: JsonObject, fields: Partial<EventFields>]>([
    ["nothing but what is required", sample, {}],
    ["null as timestamp", { ...sample, timestamp: null }, {}],
    ["null as properties", { ...sample, properties: null }, { properties: undefined }],
    [
      "several ids, numbers among them, and null for one that is not known",
      { ...sample, customer_ids: { registered: "r", erp: 182394, cookie: null } },
      { identities: { registered: "r", erp: "182394" } },
    ],
    [
      "ids and properties of names that JavaScript knows",
      { ...sample, customer_ids: JSON.parse('{"__proto__":"a"}'), properties: JSON.parse('{"__proto__":{"b":1}}') },
      { identities: JSON.parse('{"__proto__":"a"}'), properties: JSON.parse('{"__proto__":{"b":1}}') },
    ],
    [
      "properties of any JSON",
      { ...sample, properties: { a: [1, null, { b: true }] } },
      { properties: { a: [1, null, { b: true }] } },
    ],
    [
      "a property of 16,383 bytes",
      { ...sample, properties: { a: "x".repeat(16_381) } },
      { properties: expect.anything() },
    ],
    ["unknown fields", { ...sample, foo: 1 }, {}],
  ])("takes %s", (_, body, fields) => {
    expect(readRequest(single, { body })).toMatchObject({ events: [newEvent({ ...event, ...fields })], notices: [] });
    expect(replySingle(body)).toEqual(stored);
  });

  it.each<[what: string, timestamp: JsonValue, nanos: number, notices: unknown[]]>([
    ["a number of seconds", 1_614_585_422, 0, []],
    ["a text of seconds", "1614585422", 0, []],
    ["fractions of seconds", "1614585422.123456789", 123_456_789, []],
    ["ISO 8601", "2021-03-01T07:57:02.5Z", 500_000_000, []],
    [
      "milliseconds",
      1_614_585_422_500,
      500_000_000,
      ["timestamp is in milliseconds, not in seconds as documented: understood"],
    ],
  ])("takes %s as timestamp", (_, timestamp, nanos, notices) => {
    const offer = readRequest(single, { body: { ...sample, timestamp } });
    expect(offer).toMatchObject({ events: [{ time: { ...time, nanos } }], notices });
  });

  it.each<[what: string, body: JsonValue, message: unknown]>([
    ["a list", [sample], "the event is not an object"],
    ["no ids", { ...sample, customer_ids: {} }, "At least one id should be specified."],
    ["ids that are null", { ...sample, customer_ids: { registered: null } }, "At least one id should be specified."],
    ["absent ids", { ...sample, customer_ids: null }, "At least one id should be specified."],
    ["ids that are a list", { ...sample, customer_ids: ["r"] }, "customer_ids is not an object"],
    [
      "a list as id",
      { ...sample, customer_ids: { cookie: ["a"] } },
      "customer_ids.cookie is neither a text nor a number",
    ],
    ["an empty id", { ...sample, customer_ids: { cookie: "" } }, "customer_ids.cookie is empty"],
    [
      "a number as id that is not exact",
      { ...sample, customer_ids: JSON.parse('{"erp":12345678901234567890}') },
      "customer_ids.erp is a number too large to be exact: send it as a text",
    ],
    [
      "a long id",
      { ...sample, customer_ids: { cookie: "c".repeat(257) } },
      "customer_ids.cookie is longer than 256 characters",
    ],
    [
      "17 ids",
      { ...sample, customer_ids: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, i])) },
      "customer_ids has more than 16 entries",
    ],
    ["no type", { ...sample, event_type: null }, "event_type is required"],
    ["an empty type", { ...sample, event_type: "" }, "event_type is required"],
    ["a type that is no text", { ...sample, event_type: 5 }, "event_type is not a text"],
    ["a timestamp of 1970", { ...sample, timestamp: 86_400 }, expect.stringMatching(/^timestamp is not /)],
    ["a timestamp that is an object", { ...sample, timestamp: {} }, expect.stringMatching(/^timestamp is not /)],
    [
      "a timestamp ahead of our clock",
      { ...sample, timestamp: servedMs / 1000 + 86_401 },
      "timestamp is over 24 h in the future",
    ],
    ["no properties", { ...sample, properties: {} }, "At least one property should be specified."],
    ["absent properties", { customer_ids: { a: 1 }, event_type: "x" }, "At least one property should be specified."],
    ["properties that are a list", { ...sample, properties: [1] }, "properties is not an object"],
    [
      "a property of 16,384 bytes",
      { ...sample, properties: { total_price: "x".repeat(16_382) } },
      "properties.total_price is not smaller than 16384 bytes",
    ],
    [
      "a property whose depth would end a stack",
      { ...sample, properties: { p: JSON.parse(`${"[".repeat(8000)}${"]".repeat(8000)}`) }, timestamp },
      expect.stringMatching(/^properties\.p\S* is nested deeper than 16$/),
    ],
    [
      "a property that is larger and deeper still",
      { ...sample, properties: { p: JSON.parse(`${"[".repeat(200_000)}${"]".repeat(200_000)}`) } },
      "properties.p is not smaller than 16384 bytes",
    ],
    [
      "800 KB in all",
      {
        ...sample,
        properties: Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`p${i}`, "x".repeat(16_000)])),
      },
      "the event is not smaller than 800000 bytes",
    ],
  ])("refuses %s", (_, body, message) => {
    expect(replySingle(body)).toEqual({ status: 400, body: fault(message) });
  });

  it("answers a duplicate as what was stored", () => {
    expect(replySingle(timed, findDuplicate)).toEqual(stored);
  });

  it.each<[what: string, decide: Decide, status: number, message: string]>([
    ["a rate limit", throttle, 429, "a rate limit of the project is used up"],
    ["full storage", fill, 507, "storage is full"],
    ["an unknown outcome", lose, 503, "perhaps stored"],
  ])("fails over %s", (_, decide, status, message) => {
    expect(replySingle(sample, decide)).toEqual({ status, body: fault(message) });
  });

  it("reads any JSON without throwing, and always says whether it succeeded", () => {
    const json = fc.jsonValue().map((value): JsonValue => JSON.parse(JSON.stringify(value)));
    const nearly = fc
      .tuple(fc.constantFrom("customer_ids", "event_type", "timestamp", "properties"), json)
      .map(([field, value]): JsonValue => ({ ...timed, [field]: value }));
    fc.assert(
      fc.property(fc.oneof(json, nearly), (body) => {
        const { status, body: reply } = replySingle(body);
        expect([status, reply]).toEqual(status === 200 ? [200, stored.body] : [400, fault(expect.any(String))]);
        expect(replyBatch([command(body)])).toMatchObject({
          body: { results: [status === 200 ? { success: true } : reply], success: true },
        });
      }),
      { numRuns: 60 },
    );
  });
});

describe("content dedupe", () => {
  const idOf = (body: JsonValue, request?: Partial<TrackRequest>) => readEvent(body, request).id;

  it("gives an event with a timestamp an id made of its content", () => {
    expect(idOf(timed)).toMatch(/^bloomreach-[\w-]{24}$/);
    expect(idOf(structuredClone(timed))).toBe(idOf(timed));
  });

  it.each<[what: string, body: JsonObject, request: Partial<TrackRequest>, id: string]>([
    ["without a timestamp", sample, {}, ""],
    ["with null as timestamp", { ...sample, timestamp: null }, {}, ""],
    ["with an Idempotency-Key", timed, { eventId: (i) => `key/${i}` }, "key/0"],
  ])("gives none to an event %s", (_, body, request, id) => {
    expect(idOf(body, request)).toBe(id);
  });

  it.each<[what: string, body: JsonObject]>([
    ["the same time as a text", { ...timed, timestamp: "1614585422.5" }],
    ["the same time in ISO 8601", { ...timed, timestamp: "2021-03-01T08:57:02.500+01:00" }],
    ["an id that is null", { ...timed, customer_ids: { ...timed.customer_ids, cookie: null } }],
    ["fields that are not stored", { ...timed, foo: 1 }],
  ])("takes for the same event one with %s", (_, body) => {
    expect(idOf(body)).toBe(idOf(timed));
  });

  it.each<[what: string, body: JsonObject, request?: Partial<TrackRequest>]>([
    ["of another nanosecond", { ...timed, timestamp: "1614585422.500000001" }],
    ["of another type", { ...timed, event_type: "purchases" }],
    ["of another customer", { ...timed, customer_ids: { registered: "test@example.org" } }],
    ["of another kind of id", { ...timed, customer_ids: { cookie: "test@example.com" } }],
    ["with a property more", { ...timed, properties: { ...timed.properties, a: null } }],
    ["without properties", { ...timed, properties: null }],
    ["with a value of another type", { ...timed, properties: { ...timed.properties, total_price: "7.99" } }],
    ["from another environment", timed, { environment: "staging" }],
  ])("takes for another event one %s", (_, body, request) => {
    expect(idOf(body, request)).not.toBe(idOf(timed));
  });

  it("never looks at the order of keys, and at everything else", () => {
    const text = fc.string({ minLength: 1, maxLength: 3 });
    const json = fc.jsonValue({ maxDepth: 2 }).map((value): JsonValue => JSON.parse(JSON.stringify(value)));
    const record = <T>(value: fc.Arbitrary<T>) =>
      fc.dictionary(text, value, { minKeys: 1, maxKeys: 3, noNullPrototype: true });
    const arbitrary = fc.record(
      {
        customer_ids: record(text),
        event_type: text,
        timestamp: fc.integer({ min: 1_600_000_000, max: 1_600_000_002 }),
        properties: record(json),
      },
      { noNullPrototype: true },
    );
    const changed = fc
      .tuple(arbitrary, arbitrary, fc.constantFrom("customer_ids", "event_type", "timestamp", "properties"))
      .map(([one, other, field]) => [one, { ...one, [field]: other[field] }] as const);
    fc.assert(
      fc.property(changed, ([one, other]) => {
        expect(idOf(reverseKeys(one))).toBe(idOf(one));
        expect(idOf(one) === idOf(other)).toBe(isDeepStrictEqual(one, other));
      }),
    );
  });
});

describe("content dedupe, over HTTP", () => {
  const start = useDialects();

  it("stores an event once for each environment that keys send it to", async () => {
    const { url, log, project } = await start();
    for (const key of [testKey, lesserKeys.production, testKey, lesserKeys.production]) {
      const answer = await fetch(`${url}/track/v2/projects/${project.name}/customers/events`, {
        method: "POST",
        headers: { authorization: `Token ${key}` },
        body: JSON.stringify(timed),
      });
      expect([answer.status, await answer.json()]).toEqual([200, stored.body]);
    }

    const environments = log.stored(project).map(({ bytes }) => fromBinary(EventSchema, bytes).environment);
    expect(environments).toEqual(["", "production"]);
  });
});

describe("a batch", () => {
  const times = { start_time: servedMs / 1000, end_time: servedMs / 1000 + 0.25 };
  const done = (...results: object[]) => ({ status: 200, body: { results, ...times, success: true } });

  it("answers each command at its place", () => {
    const commands = [
      command(sample),
      command({ ...sample, customer_ids: {} }, { command_id: "c1" }),
      { name: "system/time", command_id: 2 },
      command({ ...sample, event_type: "view" }, { command_id: "c3" }),
      { name: "customers", data: { customer_ids: { registered: "r" }, properties: { a: 1 } } },
      { name: "campaigns/email" },
      "nonsense",
      { name: "customers/events" },
    ];
    expect(replyBatch(commands)).toEqual(
      done(
        { success: true },
        { ...fault("At least one id should be specified."), command_id: "c1" },
        { success: true, time: times.end_time, command_id: 2 },
        { success: true, command_id: "c3" },
        fault("the command customers is not supported: Sluice keeps events, not profiles of customers"),
        fault("the command is unknown: its name has to be customers/events or system/time"),
        fault("the command is not an object"),
        fault("the event is not an object"),
      ),
    );
  });

  it("offers events, bad ones too, and no other commands", () => {
    const bad = { ...sample, properties: {} };
    const violation = { field: "properties", message: "At least one property should be specified." };
    expect(
      readRequest(batch, { body: { commands: [{ name: "system/time" }, command(bad), command(sample)] } }).events,
    ).toEqual([{ refusal: { reason: "EVENT_INVALID", violation }, sent: JSON.stringify(bad) }, newEvent(event)]);
  });

  it("names events by the place of their command, with an Idempotency-Key", () => {
    const body = { commands: [{ name: "system/time" }, command(timed), command(sample)] };
    const { events } = readRequest(batch, { body, eventId: (i) => `key/${i}` });
    expect(events).toMatchObject([{ id: "key/1" }, { id: "key/2" }]);
  });

  it("tells of a unit once, however many events have it", () => {
    const late = { ...sample, timestamp: 1_614_585_422_500 };
    const { notices } = readRequest(batch, { body: { commands: [command(late), command(late)] } });
    expect(notices).toHaveLength(1);
  });

  it("takes 50 commands, and none", () => {
    expect(replyBatch(Array.from({ length: 50 }, () => command(sample)))).toMatchObject({ status: 200 });
    expect(replyBatch([])).toEqual(done());
  });

  it.each<[what: string, body: JsonValue, message: string]>([
    ["51 commands", { commands: Array(51).fill(command(sample)) }, "commands has more than 50 entries"],
    ["commands that are no list", { commands: command(sample) }, "commands is not a list"],
    ["no commands", {}, "commands is not a list"],
    ["a list", [command(sample)], "commands is not a list"],
  ])("refuses %s", (_, body, message) => {
    expect(replyTo(bloomreach, batch, { body })).toEqual({ status: 400, body: fault(message) });
  });

  it("says of each event that is kept out why, when others are stored", () => {
    const decide: Decide = (event, place) => [accept, throttle, fill, findDuplicate][place]?.(event, place) ?? fail();
    expect(
      replyBatch(
        Array.from({ length: 4 }, () => command(sample)),
        decide,
      ),
    ).toEqual(
      done(
        { success: true },
        fault("a rate limit of the project is used up, retry after 2 s"),
        fault("storage is full"),
        { success: true },
      ),
    );
  });

  it.each<[what: string, second: Decide, status: number, message: string]>([
    ["a rate limit", throttle, 429, "a rate limit of the project is used up"],
    ["full storage", fill, 507, "storage is full"],
    ["an unknown outcome before all else", lose, 503, "perhaps stored"],
  ])("fails as a whole over %s, when nothing is stored", (_, second, status, message) => {
    const decide: Decide = (event, place) => (place === 1 ? second(event, place) : throttle(event, place));
    const commands = [command({}), command(sample), command(sample), { name: "system/time" }, command(sample)];
    expect(replyBatch(commands, (event, place) => decide(event, place + 1))).toEqual({ status, body: fault(message) });
  });

  it("answers for each when nothing is stored, and nothing ever could be", () => {
    expect(replyBatch([command({}), command(null)])).toEqual(
      done(fault("At least one id should be specified."), fault("the event is not an object")),
    );
  });
});

function fail(): never {
  throw new Error("another event than there are");
}

describe("system/time", () => {
  it("tells the seconds to everyone", () => {
    const endpoint = bloomreach.endpoints.find(({ name }) => name === "bloomreach/system/time");
    const reply = endpoint?.kind === "open" ? endpoint.answer(1_533_663_283_894) : undefined;
    expect(reply).toEqual({ status: 200, body: { errors: [], success: true, time: 1_533_663_283.894 } });
  });
});

describe("the key", () => {
  const head = (authorization: string | undefined, query = ""): RequestHead => ({
    params: { projectToken: "shop" },
    query: new URLSearchParams(query),
    headers: authorization === undefined ? {} : { authorization },
  });
  const basic = (credential: string) => `Basic ${Buffer.from(credential).toString("base64")}`;

  it.each<[what: string, head: RequestHead, key: string | undefined]>([
    ["Basic", head(basic("id:secret")), "secret"],
    ["basic in small letters", head(basic("id:secret").replace("B", "b")), "secret"],
    ["Basic with a colon in the secret", head(basic("id:se:cret")), "se:cret"],
    ["Basic with an empty secret", head(basic("id:")), "id"],
    ["Basic without a colon", head(basic("id")), "id"],
    ["Basic with an empty id", head(basic(":secret")), "secret"],
    ["Basic of nothing", head(basic(":")), undefined],
    ["Token", head("Token abc"), "abc"],
    ["Token in capitals", head("TOKEN  abc "), "abc"],
    ["Bearer", head("Bearer abc"), "abc"],
    ["access_token", head(undefined, "access_token=abc"), "abc"],
    ["the header before the query", head("Token abc", "access_token=def"), "abc"],
    ["an empty access_token", head(undefined, "access_token="), undefined],
    ["an unknown scheme", head("Digest abc"), undefined],
    ["nothing", head(undefined), undefined],
  ])("is found in %s", (_, head, key) => {
    expect(bloomreach.key?.(head)).toBe(key);
  });

  it("has to open the project of the path", () => {
    expect(() => bloomreach.checkProject?.(head(undefined), "shop")).not.toThrow();
    expect(() => bloomreach.checkProject?.(head(undefined), "shop2")).toThrow(
      new RequestRefused(400, "PROJECT_UNKNOWN", "Invalid project id"),
    );
  });
});

describe("refusals", () => {
  it.each<[reason: ErrorReason, status: number, body: JsonObject]>([
    ["KEY_MISSING", 401, { success: false, error: "Access key not provided" }],
    ["KEY_INVALID", 401, { success: false, error: "Access key not found" }],
    ["PERMISSION_MISSING", 403, { success: false, error: "missing permission: why" }],
    ["ENVIRONMENT_FORBIDDEN", 403, { success: false, error: "why" }],
    ["MALFORMED", 400, { success: false, message: "why" }],
    ["ID_CONFLICT", 409, { success: false, errors: ["why"] }],
    ["TOO_LARGE", 413, { success: false, errors: ["why"] }],
    ["RATE_LIMITED", 429, { success: false, errors: ["why"] }],
    ["STORAGE_UNAVAILABLE", 503, { success: false, errors: ["why"] }],
    ["INTERNAL", 500, { success: false, errors: ["why"] }],
  ])("put %s in the vendor's shape", (reason, status, body) => {
    expect(bloomreach.refuse(toRefusal(new SluiceError(reason, "why")))).toEqual({ status, body });
  });

  it("name the field at fault", () => {
    const violations = [{ field: "event.event_type", message: "is wrong" }];
    const body = { success: false, errors: ["event_type is wrong"] };
    expect(bloomreach.refuse(toRefusal(new SluiceError("EVENT_INVALID", "name is wrong", { violations })))).toEqual({
      status: 400,
      body,
    });
  });

  it.each<[thrown: Error, status: number, body: JsonObject]>([
    [new SluiceError("MALFORMED", "the body is not valid JSON"), 400, { success: false, message: "Invalid JSON" }],
    [
      new RequestRefused(400, "PROJECT_UNKNOWN", "Invalid project id"),
      400,
      { success: false, error: "Invalid project id" },
    ],
    [new RequestRefused(405, "METHOD_NOT_ALLOWED", "why"), 405, { success: false, errors: ["why"] }],
    [new RequestRefused(415, "UNSUPPORTED_MEDIA_TYPE", "why"), 415, { success: false, errors: ["why"] }],
  ])("put %s in the vendor's shape", (thrown, status, body) => {
    expect(bloomreach.refuse(toRefusal(thrown))).toEqual({ status, body });
  });
});

describe("fieldName", () => {
  it.each([
    ["name", "event_type"],
    ["time", "timestamp"],
    ["identities", "customer_ids"],
    ['identities["registered"]', "customer_ids.registered"],
    ['identities["a"]b"]', 'customer_ids.a"]b'],
    ['identities["cut off…', "customer_ids.cut off…"],
    ["properties.a[2].b", "properties.a[2].b"],
    ["environment", "environment"],
    ["id", "Idempotency-Key"],
    ["customer_ids.a", "customer_ids.a"],
  ])("calls %s %s", (field, name) => {
    expect(bloomreach.fieldName(field)).toBe(name);
  });
});
