import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { EventService } from "../../gen/sluice/v1/event_service_pb.ts";
import { SluiceError } from "../../src/domain/errors.ts";
import { emptyTail } from "../support/fake-event-handlers.ts";
import type { RawProtocol } from "../support/raw-call.ts";
import { callRaw, envelope } from "../support/raw-call.ts";
import { lesserKeys } from "../support/test-keys.ts";
import { testKey, useHttpServer } from "../support/use-http-server.ts";
import { waitUntil } from "../support/wait-until.ts";

const server = useHttpServer();

const versions = [1, 2] as const;

const protocols: RawProtocol[] = versions.flatMap((httpVersion) =>
  [
    { form: "Connect JSON", contentType: "application/json", isEnveloped: false },
    { form: "Connect protobuf", contentType: "application/proto", isEnveloped: false },
    { form: "gRPC-Web protobuf", contentType: "application/grpc-web+proto", isEnveloped: true },
    { form: "gRPC-Web JSON", contentType: "application/grpc-web+json", isEnveloped: true },
    ...(httpVersion === 2
      ? [
          { form: "gRPC", contentType: "application/grpc", isEnveloped: true },
          { form: "gRPC JSON", contentType: "application/grpc+json", isEnveloped: true },
        ]
      : []),
  ].map(({ form, ...rest }) => ({ name: `${form} over HTTP/${httpVersion}`, httpVersion, ...rest })),
);

type Case = [
  name: string,
  request: { body: Uint8Array; headers?: Record<string, string> },
  code: string,
  reason: string | undefined,
];

const track = "/sluice.v1.EventService/Track";
const auth = { authorization: `Bearer ${testKey}` };
const isJson = (protocol: RawProtocol) => protocol.contentType.includes("json");

function goodMessage(protocol: RawProtocol): Uint8Array {
  if (isJson(protocol)) return Buffer.from(`{"event":{"name":"one"}}`);
  // TrackRequest{event: {name: "one"}}
  return Buffer.from([0x0a, 5, 0x12, 3, 0x6f, 0x6e, 0x65]);
}

/** A message of some bytes, as the protocol puts it into a body. */
function bodyOf(protocol: RawProtocol, message: Uint8Array, flags = 0): Uint8Array {
  return protocol.isEnveloped ? envelope(message, flags) : message;
}

/** The header by which the protocol says that a message is compressed. */
function compressionHeader({ isEnveloped }: RawProtocol, name: string): Record<string, string> {
  return { [isEnveloped ? "grpc-encoding" : "content-encoding"]: name };
}

describe.each(protocols)("$name", (protocol) => {
  const call = (request: Partial<Parameters<typeof callRaw>[1]>) =>
    callRaw(protocol, { port: server().port, path: track, headers: auth, ...request });

  it("answers a good call", async () => {
    expect(await call({ body: bodyOf(protocol, goodMessage(protocol)) })).toMatchObject({ status: 200, code: "OK" });
    expect(await server().onlyRecord()).toMatchObject({ method: "Track", code: "OK" });
  });

  it.each([
    ["no key", {}, "UNAUTHENTICATED", "KEY_MISSING"],
    ["no bearer", { authorization: "Basic abc" }, "UNAUTHENTICATED", "KEY_MISSING"],
    ["a foreign key", { authorization: "Bearer foreign" }, "UNAUTHENTICATED", "KEY_INVALID"],
    ["a key that lists", { authorization: `Bearer ${lesserKeys.list}` }, "PERMISSION_DENIED", "PERMISSION_MISSING"],
  ])("refuses %s although no body is ever sent", async (_, headers, code, reason) => {
    expect(await call({ headers, isOpen: true })).toMatchObject({ code, reason });
    expect(await server().onlyRecord()).toMatchObject({ method: "Track", code, reason });
    expect(server().handlers.calls).toEqual([]);
  });

  const big = Buffer.alloc((1 << 20) + 1, "{");
  const bomb = gzipSync(Buffer.alloc(64 << 20), { level: 9 });
  const corrupt = Buffer.concat([gzipSync(goodMessage(protocol)).subarray(0, 10), Buffer.from("rubbish")]);
  const malformed = (name: string, body: Uint8Array): Case => [name, { body }, "INVALID_ARGUMENT", "MALFORMED"];
  const cases: Case[] = [
    ["a malformed message", { body: bodyOf(protocol, Buffer.from([0x0a, 0xff])) }, "INVALID_ARGUMENT", "MALFORMED"],
    ["an oversized message", { body: bodyOf(protocol, big) }, "RESOURCE_EXHAUSTED", "TOO_LARGE"],
    [
      "a gzip bomb",
      { body: bodyOf(protocol, bomb, 1), headers: compressionHeader(protocol, "gzip") },
      "RESOURCE_EXHAUSTED",
      "TOO_LARGE",
    ],
    [
      "a corrupt compression",
      { body: bodyOf(protocol, corrupt, 1), headers: compressionHeader(protocol, "gzip") },
      "INVALID_ARGUMENT",
      "MALFORMED",
    ],
    [
      "a compression cut short",
      {
        body: bodyOf(protocol, gzipSync(goodMessage(protocol)).subarray(0, -6), 1),
        headers: compressionHeader(protocol, "gzip"),
      },
      "INVALID_ARGUMENT",
      "MALFORMED",
    ],
    [
      "an unknown compression",
      { body: bodyOf(protocol, goodMessage(protocol)), headers: compressionHeader(protocol, "secret") },
      "UNIMPLEMENTED",
      undefined,
    ],
    [
      "a malformed deadline",
      {
        body: bodyOf(protocol, goodMessage(protocol)),
        headers: { [protocol.isEnveloped ? "grpc-timeout" : "connect-timeout-ms"]: "secret" },
      },
      "INVALID_ARGUMENT",
      "MALFORMED",
    ],
    ...(protocol.isEnveloped
      ? [
          malformed("an envelope cut short", envelope(goodMessage(protocol)).subarray(0, 7)),
          malformed("a head cut short", Buffer.from([0, 0])),
          malformed("no message", Buffer.alloc(0)),
          malformed("two messages", Buffer.concat([envelope(goodMessage(protocol)), envelope(goodMessage(protocol))])),
          malformed("compressed bytes without a name", envelope(gzipSync(goodMessage(protocol)), 1)),
        ]
      : []),
  ];

  it.each(cases)("refuses %s", async (_, { body, headers }, code, reason) => {
    const answer = await call({ body, headers: { ...auth, ...headers } });

    expect(answer).toMatchObject({ code, reason });
    expect(answer.message).not.toContain("secret");
    expect(await server().onlyRecord()).toMatchObject({ method: "Track", code, ...(reason && { reason }) });
    expect(server().handlers.calls).toEqual([]);
  });

  it("refuses an oversized message by what it says of its length", async () => {
    const body = protocol.isEnveloped ? Buffer.from([0, 0, 0x10, 0, 1]) : Buffer.alloc(0);
    const headers = protocol.isEnveloped ? auth : { ...auth, "content-length": String((1 << 20) + 1) };

    expect(await call({ body, headers, isOpen: true })).toMatchObject({ reason: "TOO_LARGE" });
  });

  it("refuses a message of too many events before it is decoded", async () => {
    const path = "/sluice.v1.EventService/TrackMany";
    const message = isJson(protocol)
      ? Buffer.from(`{"events":[${"{},".repeat(1_000_000)}`)
      : Buffer.concat([Buffer.alloc(2 * 501, Buffer.from([0x0a, 0])), Buffer.from([0xff])]);
    const zipped = { ...auth, ...compressionHeader(protocol, "gzip") };

    for (const request of [
      { body: bodyOf(protocol, message) },
      { body: bodyOf(protocol, gzipSync(message), 1), headers: zipped },
    ]) {
      expect(await call({ path, ...request })).toMatchObject({
        code: "RESOURCE_EXHAUSTED",
        reason: "TOO_LARGE",
        message: "the message holds more than 500 events",
      });
    }
    expect(server().handlers.calls).toEqual([]);
  });

  it("takes a message of 500 events", async () => {
    const path = "/sluice.v1.EventService/TrackMany";
    const message = isJson(protocol)
      ? Buffer.from(`{"events":[${Array.from({ length: 500 }, () => "{}").join()}]}`)
      : Buffer.alloc(2 * 500, Buffer.from([0x0a, 0]));

    expect(await call({ path, body: bodyOf(protocol, message) })).toMatchObject({ code: "OK" });
    expect(server().handlers.calls[0]?.events).toHaveLength(500);
  });

  it("ends a call at its deadline, whatever its handler does", async () => {
    server().handlers.isSilent = true;

    for (const timeout of ["20", "0"]) {
      const headers = protocol.isEnveloped ? { "grpc-timeout": `${timeout}m` } : { "connect-timeout-ms": timeout };
      const answer = await call({ body: bodyOf(protocol, goodMessage(protocol)), headers: { ...auth, ...headers } });

      expect(answer).toMatchObject({ code: "DEADLINE_EXCEEDED", reason: "DEADLINE_EXCEEDED" });
    }
    await waitUntil(() => server().records.length === 2);
    expect(server().records.map(({ reason }) => reason)).toEqual(["DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"]);
  });

  it("takes a deadline longer than it allows", async () => {
    const headers = protocol.isEnveloped ? { "grpc-timeout": "99999999H" } : { "connect-timeout-ms": "9999999999" };

    const answer = await call({ body: bodyOf(protocol, goodMessage(protocol)), headers: { ...auth, ...headers } });

    expect(answer).toMatchObject({ code: "OK" });
    expect(server().handlers.calls[0]?.caller.signal.reason?.name).toBe("AbortError");
  });

  it.each([
    ["10 s without a deadline", undefined, 10_000],
    ["the deadline that it has", 2000, 2000],
    ["5 min at most", 999_999, 300_000],
  ])("tells the handler how much time is left: %s", async (_, timeoutMs, leftMs) => {
    const name = protocol.isEnveloped ? "grpc-timeout" : "connect-timeout-ms";
    const headers = { ...auth, ...(timeoutMs && { [name]: protocol.isEnveloped ? `${timeoutMs}m` : `${timeoutMs}` }) };

    await call({ body: bodyOf(protocol, goodMessage(protocol)), headers });

    const remainingMs = server().handlers.calls[0]?.caller.remainingMs();
    expect(remainingMs).toBeLessThanOrEqual(leftMs);
    expect(remainingMs).toBeGreaterThan(leftMs - 2000);
  });

  it.each([
    ["a method", "/sluice.v1.EventService/Drop"],
    ["a method of health", "/grpc.health.v1.Health/Drop"],
  ])("answers an unknown %s in the shape of the protocol", async (_, path) => {
    const answer = await call({ path, body: bodyOf(protocol, goodMessage(protocol)) });

    expect(answer).toMatchObject({ status: protocol.isEnveloped ? 200 : 404, code: "UNIMPLEMENTED" });
    expect(await server().onlyRecord()).toMatchObject({ method: "unknown", code: "UNIMPLEMENTED" });
  });

  it.each(["text/plain", "application/xml", "application/protobuf"])("refuses the content type %s", async (type) => {
    const plain = { ...protocol, contentType: type, isEnveloped: false };

    const answer = await callRaw(plain, { port: server().port, path: track, headers: auth, body: Buffer.from("x") });

    expect(answer).toMatchObject({ status: 415 });
    expect(await server().onlyRecord()).toMatchObject({ method: "Track", code: "UNIMPLEMENTED" });
  });

  it("tells an error of a handler", async () => {
    server().handlers.failure = new SluiceError("ID_CONFLICT", "the id was used before");

    expect(await call({ body: bodyOf(protocol, goodMessage(protocol)) })).toMatchObject({
      code: "ALREADY_EXISTS",
      reason: "ID_CONFLICT",
      message: "the id was used before",
    });
  });

  it("keeps the cause of a fault of ours to itself", async () => {
    const cause = new Error("the secret");
    server().handlers.failure = cause;

    expect(await call({ body: bodyOf(protocol, goodMessage(protocol)) })).toMatchObject({
      code: "INTERNAL",
      reason: "INTERNAL",
      message: "internal error",
    });
    expect(await server().onlyRecord()).toMatchObject({ code: "INTERNAL", cause });
  });
});

describe("Connect", () => {
  const json: RawProtocol = { name: "JSON", httpVersion: 1, contentType: "application/json", isEnveloped: false };

  it.each([
    ["text that is no JSON", "secret"],
    ["JSON that breaks off", `{"event":{"name":"secret`],
    ["another type", `["secret"]`],
  ])("quotes nothing of %s", async (_, text) => {
    const answer = await callRaw(json, { port: server().port, path: track, headers: auth, body: Buffer.from(text) });

    expect(answer).toMatchObject({ status: 400, reason: "MALFORMED" });
    expect(answer.message).not.toContain("secret");
  });

  it("refuses JSON that is not UTF-8", async () => {
    const body = Buffer.concat([Buffer.from(`{"event":{"name":"`), Buffer.from([0xff]), Buffer.from(`"}}`)]);

    const answer = await callRaw(json, { port: server().port, path: track, headers: auth, body });

    const message = "the message cannot be read: it is not valid UTF-8";
    expect(answer).toMatchObject({ status: 400, reason: "MALFORMED", message });
  });

  it.each([
    ["{", "it is not valid JSON"],
    [`{"order":"oldest"}`, "its Order is none that is known"],
    [`{"filter":{"name":["a"]}}`, "it has a field that EventFilter does not have: name"],
  ])("says what is wrong with the ListEventsRequest %s", async (text, fault) => {
    const path = "/sluice.v1.EventService/ListEvents";
    const answer = await callRaw(json, { port: server().port, path, headers: auth, body: Buffer.from(text) });

    expect(answer).toMatchObject({ reason: "MALFORMED", message: `the message cannot be read: ${fault}` });
  });

  it.each([
    ["JSON", "encoding=json&message=%7B%7D", 200, undefined],
    ["protobuf in base64", "encoding=proto&base64=1&message=GAc", 200, undefined],
    ["malformed JSON", "encoding=json&message=%7B", 400, "MALFORMED"],
    ["malformed protobuf", "encoding=proto&base64=1&message=_w", 400, "MALFORMED"],
    ["what is not base64", "encoding=proto&base64=1&message=***", 400, "MALFORMED"],
    ["a character of base64", "encoding=proto&base64=1&message=e", 400, "MALFORMED"],
    ["base64 of an impossible length", "encoding=proto&base64=1&message=AAAAA", 400, "MALFORMED"],
    ["padding within base64", "encoding=proto&base64=1&message=GA==GA", 400, "MALFORMED"],
    ["an unknown order", "encoding=json&message=%7B%22order%22:%22oldest_first%22%7D", 400, "MALFORMED"],
    ["an unknown filter", "encoding=json&message=%7B%22filter%22:%7B%22name%22:%5B%22z%22%5D%7D%7D", 400, "MALFORMED"],
    ["an unknown compression", "encoding=json&compression=secret&message=%7B%7D", 501, undefined],
    ["an unknown encoding", "encoding=xml&message=x", 415, undefined],
    ["no encoding", "message=x", 415, undefined],
  ])("answers GET of ListEvents with %s", async (_, query, status, reason) => {
    const path = `/sluice.v1.EventService/ListEvents?connect=v1&${query}`;
    const answer = await callRaw(json, { port: server().port, method: "GET", path, headers: auth });

    expect(answer).toMatchObject({ status, reason });
  });

  it("refuses GET of Track", async () => {
    const path = `${track}?connect=v1&encoding=json&message=%7B%7D`;

    expect(await callRaw(json, { port: server().port, method: "GET", path, headers: auth })).toMatchObject({
      status: 405,
    });
  });

  const stores = ["track", "trackMany", "trackBatch"];
  const lists = ["listEvents", "getEvent", "tailEvents", "listRejectedEvents"];

  it.each<[string, string, string[]]>([
    ["tracks", lesserKeys.track, [...stores, "getLimits"]],
    ["lists", lesserKeys.list, [...lists, "getLimits"]],
    ["may do nothing", lesserKeys.nothing, []],
  ])("opens just its methods to a key that %s", async (_, key, opened) => {
    server().handlers.tail = emptyTail;
    for (const { name, localName, methodKind } of EventService.methods) {
      const isEnveloped = methodKind !== "unary";
      const contentType = isEnveloped ? "application/connect+json" : "application/json";
      const answer = await callRaw(
        { ...json, contentType, isEnveloped },
        {
          port: server().port,
          path: `/${EventService.typeName}/${name}`,
          headers: { authorization: `Bearer ${key}` },
          body: isEnveloped ? envelope(Buffer.from("{}")) : Buffer.from("{}"),
        },
      );
      const isOpen = opened.includes(localName);
      expect([localName, answer.code, answer.reason]).toEqual([
        localName,
        isOpen ? "OK" : "PERMISSION_DENIED",
        isOpen ? undefined : "PERMISSION_MISSING",
      ]);
    }
  });

  describe.each(["ListEvents", "ListRejectedEvents", "GetLimits"])("GET of %s", (method) => {
    const path = `/sluice.v1.EventService/${method}?connect=v1&encoding=json&message=%7B%7D`;
    const get = (headers: Record<string, string>) =>
      callRaw(json, { port: server().port, method: "GET", path, headers });

    it("is answered", async () => {
      expect(await get(auth)).toMatchObject({ status: 200 });
      expect(await server().onlyRecord()).toMatchObject({ method, code: "OK" });
    });

    it("is refused without a key, and with one for nothing", async () => {
      expect(await get({})).toMatchObject({ status: 401, reason: "KEY_MISSING" });
      expect(await get({ authorization: `Bearer ${lesserKeys.nothing}` })).toMatchObject({
        status: 403,
        reason: "PERMISSION_MISSING",
      });
    });
  });
});
