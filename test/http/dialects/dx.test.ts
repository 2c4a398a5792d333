import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ErrorReason } from "../../../src/domain/errors.ts";
import { SluiceError } from "../../../src/domain/errors.ts";
import type { TrackRequest } from "../../../src/http/dialect.ts";
import { dx } from "../../../src/http/dialects/dx.ts";
import type { EventFields } from "../../../src/http/new-event.ts";
import { newEvent } from "../../../src/http/new-event.ts";
import { RequestRefused, toRefusal } from "../../../src/http/refusal.ts";
import type { Decide } from "../../support/serve-as-dialect.ts";
import { findDuplicate, readRequest, replyTo, servedMs, trackEndpoint } from "../../support/serve-as-dialect.ts";

const track = trackEndpoint(dx, "dx/events.track");

/** The document's sample. */
const sample = { name: "your.event", email: "your.email@example.com", timestamp: "1680723287" };
const time = { $typeName: "google.protobuf.Timestamp", seconds: 1_680_723_287n, nanos: 0 } as const;
const event = { name: sample.name, identities: { email: sample.email }, time };

const reply = (request: Partial<TrackRequest>, decide?: Decide) => replyTo(dx, track, request, decide);

const refused = (status: number, error: string, message: unknown = expect.any(String)) => ({
  status,
  body: { ok: false, error, message },
});

const invalid = (message: string) => refused(400, "invalid_arguments", message);

const nestedText = (depth: number) => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;

describe("events.track", () => {
  it.each<[what: string, request: Partial<TrackRequest>, fields: Partial<EventFields>]>([
    ["the document's sample", { body: sample }, {}],
    [
      "all arguments of the document",
      { body: { ...sample, github_username: "j", gitlab_username: "g", metadata: { color: "blue" }, test_data: true } },
      {
        identities: { email: sample.email, github_username: "j", gitlab_username: "g" },
        properties: { color: "blue" },
        test: true,
      },
    ],
    ["a number of seconds", { body: { ...sample, timestamp: 1_680_723_287 } }, {}],
    [
      "a GitHub username alone, the others being null and empty",
      { body: { ...sample, email: null, gitlab_username: "", github_username: "j" } },
      { identities: { github_username: "j" } },
    ],
    [
      "metadata of any JSON",
      { body: { ...sample, metadata: { a: [1, null], b: { c: true } } } },
      { properties: { a: [1, null], b: { c: true } } },
    ],
    ["null as metadata and as test_data", { body: { ...sample, metadata: null, test_data: null } }, {}],
    ["unknown fields", { body: { ...sample, foo: { bar: 1 } } }, {}],
    ["the id of the Idempotency-Key", { body: sample, eventId: (i) => `key/${i}` }, { id: "key/0" }],
    ["a form", { body: sample, isForm: true }, {}],
    [
      "metadata of a form as JSON",
      { body: { ...sample, metadata: '{"color": "blue", "n": 1}' }, isForm: true },
      { properties: { color: "blue", n: 1 } },
    ],
    [
      "metadata of a form in brackets",
      { body: { ...sample, metadata: { color: "blue" } }, isForm: true },
      { properties: { color: "blue" } },
    ],
    ["empty metadata of a form", { body: { ...sample, metadata: "" }, isForm: true }, {}],
    ["null as metadata of a form", { body: { ...sample, metadata: "null" }, isForm: true }, {}],
    ["test_data of a form", { body: { ...sample, test_data: "true" }, isForm: true }, { test: true }],
    ["no test data of a form", { body: { ...sample, test_data: "false" }, isForm: true }, {}],
    ["test_data as Python writes it", { body: { ...sample, test_data: "True" }, isForm: true }, { test: true }],
    ["test_data as PHP writes it", { body: { ...sample, test_data: "1" }, isForm: true }, { test: true }],
    ["test_data of zero", { body: { ...sample, test_data: 0 } }, {}],
    ["empty test_data in the URL", { body: sample, query: new URLSearchParams("test_data") }, {}],
    ["test_data in the URL", { body: sample, query: new URLSearchParams("test_data=true") }, { test: true }],
    [
      "test_data of the body before that in the URL",
      { body: { ...sample, test_data: false }, query: new URLSearchParams("test_data=true") },
      {},
    ],
  ])("takes %s", (_, request, fields) => {
    expect(readRequest(track, request)).toMatchObject({ events: [newEvent({ ...event, ...fields })], notices: [] });
    expect(reply(request)).toEqual({ status: 200, body: { ok: true } });
  });

  it.each<[timestamp: JsonValue, notice: RegExp]>([
    ["1680723287000", /^timestamp is in milliseconds, not in seconds as documented: understood$/],
    [1_680_723_287_000_000, /^timestamp is in microseconds,/],
    ["2023-04-05T19:34:47Z", /^timestamp is an ISO 8601 time,/],
  ])("understands the timestamp %j, and says so", (timestamp, notice) => {
    const { events, notices } = readRequest(track, { body: { ...sample, timestamp } });
    expect(events).toEqual([newEvent(event)]);
    expect(notices).toEqual([expect.stringMatching(notice)]);
  });

  it.each<[what: string, body: JsonValue, answer: object]>([
    ["a list", [sample], invalid("the event is not an object")],
    ["null", null, invalid("the event is not an object")],
    ["no name", { ...sample, name: "" }, invalid("name is required")],
    ["a name that is no text", { ...sample, name: 5 }, invalid("name is not a text")],
    ["a name that is too long", { ...sample, name: "n".repeat(257) }, invalid("name is longer than 256 characters")],
    ["no timestamp", { ...sample, timestamp: null }, invalid("timestamp is required")],
    ["a timestamp of 1970", { ...sample, timestamp: "86400" }, invalid(expect.stringMatching(/^timestamp is not /))],
    [
      "a timestamp ahead of our clock",
      { ...sample, timestamp: servedMs / 1000 + 86_401 },
      invalid("timestamp is over 24 h in the future"),
    ],
    [
      "nobody",
      { ...sample, email: "" },
      invalid("email is required, unless there is a github_username or gitlab_username"),
    ],
    ["a username that is no text", { ...sample, github_username: 5 }, invalid("github_username is not a text")],
    ["a long username", { ...sample, email: "e".repeat(257) }, invalid("email is longer than 256 characters")],
    ["metadata that is a text", { ...sample, metadata: "{}" }, invalid("metadata is not a JSON object")],
    ["metadata that is a list", { ...sample, metadata: [] }, invalid("metadata is not a JSON object")],
    [
      "deep metadata",
      { ...sample, metadata: JSON.parse(nestedText(18)) },
      invalid(expect.stringMatching(/^metadata\.a\S* is nested/)),
    ],
    ["test_data that is a number", { ...sample, test_data: 2 }, invalid("test_data is neither true nor false")],
    ["test_data that is a list", { ...sample, test_data: [true] }, invalid("test_data is neither true nor false")],
    [
      "test_data of a depth that ends a stack",
      { ...sample, test_data: JSON.parse(`${"[".repeat(20_000)}${"]".repeat(20_000)}`) },
      invalid("test_data is neither true nor false"),
    ],
    ["test_data of another text", { ...sample, test_data: "yes" }, invalid("test_data is neither true nor false")],
  ])("refuses %s", (_, body, answer) => {
    expect(reply({ body })).toEqual(answer);
  });

  it.each<[what: string, body: JsonObject, error: string, message: string]>([
    ["no name", { ...sample, name: "" }, "invalid_form_data", "name is missing from the form"],
    ["no timestamp", { ...sample, timestamp: "" }, "invalid_form_data", "timestamp is missing from the form"],
    [
      "nobody",
      { ...sample, email: "" },
      "invalid_form_data",
      "email is missing from the form, and so are github_username and gitlab_username",
    ],
    ["two names", { ...sample, name: ["a", "b"] }, "invalid_arguments", "name is not a text"],
    ["metadata of no JSON", { ...sample, metadata: "{" }, "invalid_arguments", "metadata is not a JSON object"],
    ["metadata of a list", { ...sample, metadata: "[]" }, "invalid_arguments", "metadata is not a JSON object"],
  ])("refuses a form with %s", (_, body, error, message) => {
    expect(reply({ body, isForm: true })).toEqual(refused(400, error, message));
  });

  it("refuses a test_data parameter that is neither true nor false", () => {
    const query = new URLSearchParams("test_data=yes");
    expect(reply({ body: sample, query })).toEqual(invalid("test_data is neither true nor false"));
  });

  it.each<[what: string, metadata: string, isTaken: boolean]>([
    ["1,024 bytes", `{"a":"${"x".repeat(1016)}"}`, true],
    ["1,024 bytes, not counting spaces", `{ "a" : "${"x".repeat(1016)}" }`, true],
    ["1,025 bytes", `{"a":"${"x".repeat(1017)}"}`, false],
    ["1,025 bytes in characters of two", `{"a":"${"é".repeat(508)}","":0}`, false],
    ["a depth that ends a stack", nestedText(10_000), false],
  ])("takes metadata of up to 1,024 bytes: %s", (_, metadata, isTaken) => {
    const tooLarge = refused(400, "metadata_too_large", "metadata is larger than 1024 bytes");
    const answer = isTaken ? { status: 200, body: { ok: true } } : tooLarge;
    expect(reply({ body: { ...sample, metadata: JSON.parse(metadata) } })).toEqual(answer);
    expect(reply({ body: { ...sample, metadata }, isForm: true })).toEqual(answer);
  });

  it("offers what it refuses, so that it is listed among the rejected events", () => {
    const body = { ...sample, metadata: { a: "x".repeat(2000) } };
    const violation = { field: "metadata", message: "is larger than 1024 bytes" };
    expect(readRequest(track, { body }).events).toEqual([
      { refusal: { reason: "EVENT_INVALID", violation }, sent: expect.stringMatching(/^\{"name":"your.event",.*…$/) },
    ]);
  });

  it("answers a duplicate as what was stored", () => {
    expect(reply({ body: sample }, findDuplicate)).toEqual({ status: 200, body: { ok: true } });
  });

  it.each<[what: string, decide: Decide, answer: object]>([
    [
      "a rate limit",
      ({ id }) => ({ kind: "throttled", id, retryDelayMs: 2000 }),
      refused(429, "too_many_requests", "a rate limit of the project is used up"),
    ],
    [
      "an id of another event",
      ({ id }) => ({
        kind: "rejected",
        id,
        reason: "ID_CONFLICT",
        violation: { field: "Idempotency-Key", message: "x" },
      }),
      refused(409, "id_conflict", "Idempotency-Key x"),
    ],
    [
      "full storage",
      ({ id }) => ({ kind: "failed", id, error: new SluiceError("STORAGE_FULL", "full") }),
      refused(507, "storage_full", "full"),
    ],
  ])("answers %s in the vendor's shape", (_, decide, answer) => {
    expect(reply({ body: sample }, decide)).toEqual(answer);
  });

  it("reads any JSON without throwing, and always says ok or why not", () => {
    const json = fc.jsonValue().map((value): JsonValue => JSON.parse(JSON.stringify(value)));
    const nearly = fc
      .tuple(fc.constantFrom("name", "timestamp", "email", "metadata", "test_data"), json)
      .map(([field, value]): JsonValue => ({ ...sample, [field]: value }));
    fc.assert(
      fc.property(fc.oneof(json, nearly), fc.boolean(), (body, isForm) => {
        const answer = reply({ body, isForm });
        const isStored = answer.status === 200;
        expect(answer).toEqual(isStored ? { status: 200, body: { ok: true } } : refused(400, expect.any(String)));
      }),
    );
  });
});

describe("refusals", () => {
  it.each<[reason: ErrorReason, status: number, error: string]>([
    ["KEY_MISSING", 401, "invalid_auth"],
    ["KEY_INVALID", 401, "invalid_auth"],
    ["PERMISSION_MISSING", 403, "not_allowed"],
    ["ENVIRONMENT_FORBIDDEN", 403, "not_allowed"],
    ["MALFORMED", 400, "invalid_arguments"],
    ["TOO_LARGE", 413, "metadata_too_large"],
    ["STORAGE_UNAVAILABLE", 503, "service_unavailable"],
    ["SHUTTING_DOWN", 503, "service_unavailable"],
    ["OUTCOME_UNKNOWN", 503, "service_unavailable"],
    ["INTERNAL", 500, "internal_error"],
  ])("calls %s %i and %s", (reason, status, error) => {
    expect(dx.refuse(toRefusal(new SluiceError(reason, "why")))).toEqual(refused(status, error, "why"));
  });

  it("name the field at fault", () => {
    const violations = [{ field: "event.metadata", message: "is wrong" }];
    expect(dx.refuse(toRefusal(new SluiceError("EVENT_INVALID", "properties is wrong", { violations })))).toEqual(
      refused(400, "invalid_arguments", "metadata is wrong"),
    );
  });

  it.each([
    [405, "METHOD_NOT_ALLOWED", "method_not_allowed"],
    [415, "UNSUPPORTED_MEDIA_TYPE", "unsupported_media_type"],
  ] as const)("calls %i %s %s", (status, reason, error) => {
    expect(dx.refuse(toRefusal(new RequestRefused(status, reason, "why")))).toEqual(refused(status, error, "why"));
  });
});

describe("fieldName", () => {
  it.each([
    ["name", "name"],
    ["time", "timestamp"],
    ['identities["gitlab_username"]', "gitlab_username"],
    ["properties", "metadata"],
    ["properties.a[2].b", "metadata.a[2].b"],
    ["environment", "environment"],
    ["id", "Idempotency-Key"],
    ["metadata.a", "metadata.a"],
  ])("calls %s %s", (field, name) => {
    expect(dx.fieldName(field)).toBe(name);
  });
});
