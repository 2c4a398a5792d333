import { once } from "node:events";
import { createServer, request as sendHttp1 } from "node:http";
import { connect } from "node:http2";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { CallRecord } from "../../src/call-log.ts";
import { createAccess } from "../../src/domain/access.ts";
import { SluiceError } from "../../src/domain/errors.ts";
import type { OfferedEvent } from "../../src/domain/event.ts";
import { createUnaryCalls } from "../../src/rpc/connect-unary.ts";
import { newProject } from "../support/events.ts";
import { fakeEventHandlers, storedEvent } from "../support/fake-event-handlers.ts";
import { sendRequest } from "../support/send-request.ts";
import { lesserKeys, testGrants } from "../support/test-keys.ts";
import { testKey, useHttpServer } from "../support/use-http-server.ts";
import { waitUntil } from "../support/wait-until.ts";

const server = useHttpServer({ connect: { deadlineDefaultMs: 100 } });

const service = "/sluice.v1.EventService/";
const auth = { authorization: `Bearer ${testKey}` };
const quotas = [{ limit: { events: 5, perMs: 1000 }, remaining: 3, resetAfterMs: 1200 }];
const track = `{"event":{"name":"one"}}`;
// TrackRequest{event: {name: "one"}}
const encodedTrack = Buffer.from([0x0a, 5, 0x12, 3, 0x6f, 0x6e, 0x65]);

interface Sent {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

const bodies: [name: string, sent: Sent][] = [
  ...[track, "{}", "", "null", "[]", "{", `{"event":{"name":1}}`, `{"event":null}`, `{"event":1,"event":2}`].map(
    (body): [string, Sent] => [`JSON: ${body}`, { body }],
  ),
  ["JSON that is not UTF-8", { body: Buffer.from([0x22, 0xff, 0x22]) }],
  ["JSON of too many values", { body: `{"x":[${"0,".repeat(2000)}0]}` }],
  ["TrackMany", { method: "TrackMany", body: `{"events":[{"name":"one"},1]}` }],
  ["TrackMany of too many", { method: "TrackMany", body: `{"events":[${"{},".repeat(500)}{}]}` }],
  ["ListEvents", { method: "ListEvents", body: `{"pageSize":7}` }],
  ["ListEvents with what it does not know", { method: "ListEvents", body: `{"size":7}` }],
  ["GetEvent", { method: "GetEvent", body: `{"cursor":"c"}` }],
  ["ListRejectedEvents", { method: "ListRejectedEvents", body: "{}" }],
  ["GetLimits", { method: "GetLimits", body: "{}" }],
  ["protobuf", { headers: { "content-type": "application/proto" }, body: encodedTrack }],
  ["protobuf that is none", { headers: { "content-type": "application/proto" }, body: Buffer.from([0x0a, 0xff]) }],
  [
    "protobuf of too many events",
    {
      method: "TrackMany",
      headers: { "content-type": "application/proto" },
      body: Buffer.alloc(2 * 501, Buffer.from([0x0a, 0])),
    },
  ],
  ["a page in protobuf", { method: "ListEvents", headers: { "content-type": "application/proto" }, body: "" }],
];

const heads: [name: string, headers: Record<string, string>][] = [
  ["a charset", { "content-type": "application/json; charset=utf-8" }],
  ["another case", { "content-type": "Application/JSON" }],
  ["another type", { "content-type": "text/plain" }],
  ["no type", { "content-type": "" }],
  ["no key", { authorization: "" }],
  ["a foreign key", { authorization: "Bearer foreign" }],
  ["a key for other methods", { authorization: `Bearer ${lesserKeys.list}` }],
  ["a bound key", { authorization: `Bearer ${lesserKeys.production}` }],
  ["an unknown compression", { "content-encoding": "secret" }],
  ["no compression", { "content-encoding": "identity" }],
  ["a compression that it is not in", { "content-encoding": "gzip" }],
  ["a compression that it takes", { "accept-encoding": "br, gzip" }],
  ["a deadline", { "connect-timeout-ms": "5000" }],
  ["a deadline that is over", { "connect-timeout-ms": "0" }],
  ["a deadline that is too long", { "connect-timeout-ms": "9999999999" }],
  ["a deadline that is none", { "connect-timeout-ms": "1.5" }],
  ["an origin", { origin: "https://example.com" }],
  ["too large a body", { "content-length": String((1 << 20) + 1) }],
  ["an unknown compression and no key", { authorization: "", "content-encoding": "secret" }],
  ["an unknown compression and no deadline that is one", { "content-encoding": "secret", "connect-timeout-ms": "x" }],
  ["a deadline that is over and no key", { authorization: "", "connect-timeout-ms": "0" }],
];

const failures: [name: string, failure: unknown][] = [
  ["a fault of ours", new Error("secret")],
  ["a limit", new SluiceError("RATE_LIMITED", "too many", { retryDelayMs: 1500, quotas })],
  ["a failure that passes", new SluiceError("STORAGE_UNAVAILABLE", "not now")],
  ["something that is not there", new SluiceError("EVENT_NOT_FOUND", "not here")],
  [
    "many violations",
    new SluiceError("EVENT_INVALID", "wrong", {
      violations: Array.from({ length: 80 }, (_, i) => ({
        field: `properties.a${i}`,
        message: "is wrong, €".repeat(5),
      })),
    }),
  ],
];

/** Bytes are alike whichever class they have. */
function toPlain(event: OfferedEvent): unknown {
  return event instanceof Uint8Array ? Buffer.from(event).toString("hex") : event;
}

describe("a unary call", () => {
  /** Behind a path with a query, even an empty one, Connect's own handlers serve the call. */
  async function sendToBoth({ method = "Track", headers = {}, body }: Sent) {
    const all = { "content-type": "application/json", ...auth, ...headers };
    const answers = [];
    for (const path of [`${service}${method}`, `${service}${method}?`]) {
      const sent = { method: "POST", path, headers: all, body: Buffer.from(body) };
      const { headers: received, ...answer } = await sendRequest(server().port, sent);
      const { date, ...others } = received;
      await waitUntil(() => server().records.length === 1);
      const [record] = server()
        .records.splice(0)
        .map(({ durationMs, cause, ...rest }) => rest);
      answers.push({
        ...answer,
        headers: others,
        record,
        calls: server()
          .handlers.calls.splice(0)
          .map(({ events }) => events.map(toPlain)),
      });
    }
    return answers;
  }

  it.each(bodies)("is answered as Connect's own handlers answer it: %s", async (_, sent) => {
    server().handlers.quotas = quotas;
    server().handlers.retryDelayMs = 1500;
    server().handlers.page = { events: Array.from({ length: 60 }, () => storedEvent), nextPageToken: "€" };

    const [ours, theirs] = await sendToBoth(sent);
    expect(ours).toEqual(theirs);
    const [oursCompressed, theirsCompressed] = await sendToBoth({
      ...sent,
      headers: { ...sent.headers, "content-encoding": "gzip" },
      body: gzipSync(sent.body),
    });
    expect(oursCompressed).toEqual(theirsCompressed);
  });

  it.each(heads)("is answered as Connect's own handlers answer it, with %s", async (_, headers) => {
    const [ours, theirs] = await sendToBoth({ headers, body: track });

    expect(ours).toEqual(theirs);
  });

  it.each(failures)("fails as with Connect's own handlers: %s", async (_, failure) => {
    server().handlers.failure = failure;

    for (const headers of [{}, { "accept-encoding": "gzip" }, { "content-type": "application/proto" }]) {
      const body = "content-type" in headers ? encodedTrack : track;
      const [ours, theirs] = await sendToBoth({ headers, body });
      expect(ours).toEqual(theirs);
    }
  });

  it.each([
    ["its request has not come", { "content-length": "99" }, "STREAM_IDLE"],
    [
      "its request has not come by its deadline",
      { "content-length": "99", "connect-timeout-ms": "20" },
      "DEADLINE_EXCEEDED",
    ],
    ["its handler is silent", {}, "DEADLINE_EXCEEDED"],
  ])("ends in time, as with Connect's own handlers, when %s", async (_, headers, reason) => {
    server().handlers.isSilent = true;

    const answers = await sendToBoth({ headers, body: track });

    expect(answers[0]).toEqual(answers[1]);
    expect(answers[0]?.record).toMatchObject({ reason });
  });

  it("takes a body that comes byte by byte", async () => {
    const request = sendHttp1({
      port: server().port,
      path: `${service}Track`,
      method: "POST",
      headers: { ...auth, "content-type": "application/json" },
    });
    const answered = once(request, "response");
    for (const character of track) await new Promise((resolve) => request.write(character, resolve));
    request.end();

    const [response] = await answered;
    expect(JSON.parse(Buffer.concat(await response.toArray()).toString())).toMatchObject({ id: "a" });
    expect(server().handlers.calls[0]?.events).toMatchObject([{ name: "one" }]);
  });

  it("tells its handler when its caller is gone, and waits for what that has to say", async () => {
    const started = Promise.withResolvers<AbortSignal>();
    const recorded = Promise.withResolvers<CallRecord>();
    const calls = createUnaryCalls({
      handlers: {
        ...fakeEventHandlers(),
        track({ signal }) {
          started.resolve(signal);
          const unknown = new SluiceError("OUTCOME_UNKNOWN", "it may be stored");
          return new Promise((_, reject) => signal.addEventListener("abort", () => reject(unknown)));
        },
      },
      access: createAccess(() => testGrants(newProject())),
      callLog: { record: recorded.resolve, countOutcomes() {}, stop() {} },
      deadlines: { defaultMs: 60_000, maxMs: 60_000 },
    });
    const plain = createServer((request, response) => {
      const endpoint = calls.find(request);
      if (endpoint !== undefined) void calls.handle(endpoint, request, response);
    });
    await once(plain.listen(0, "127.0.0.1"), "listening");
    const { port } = plain.address() as AddressInfo;
    const headers = { ...auth, "content-type": "application/json" };
    const request = sendHttp1({ port, path: `${service}Track`, method: "POST", headers });
    request.on("error", () => {}).end(track);
    const signal = await started.promise;
    expect(signal.aborted).toBe(false);

    request.destroy();

    expect(await recorded.promise).toMatchObject({ code: "UNAVAILABLE", reason: "OUTCOME_UNKNOWN" });
    expect(signal.reason).toMatchObject({ name: "AbortError" });
    plain.close();
  });

  it.each(["HTTP/1.1", "HTTP/2"])(
    "that breaks off within its request is recorded as ended, over %s",
    async (version) => {
      const headers = { ...auth, "content-type": "application/json" };
      if (version === "HTTP/2") {
        const session = connect(server().url);
        const stream = session.request({ ":method": "POST", ":path": `${service}Track`, ...headers });
        stream.on("error", () => {});
        await new Promise((resolve) => stream.write("{", resolve));
        await new Promise<void>((resolve) => session.ping(() => resolve()));
        stream.close(8);
        await once(stream, "close");
        session.destroy();
      } else {
        const request = sendHttp1({ port: server().port, path: `${service}Track`, method: "POST", headers });
        request.on("error", () => {});
        await new Promise((resolve) => request.write("{", resolve));
        request.destroy();
      }

      expect(await server().onlyRecord()).toMatchObject({ method: "Track", code: "CANCELLED", reason: "CALL_ENDED" });
      expect(server().handlers.calls).toEqual([]);
    },
  );

  it("leaves its handler with a signal that is aborted, though nobody has asked for it before", async () => {
    await sendRequest(server().port, {
      method: "POST",
      path: `${service}Track`,
      headers: { ...auth, "content-type": "application/json" },
      body: Buffer.from(track),
    });

    expect(server().handlers.calls[0]?.caller.signal).toMatchObject({ aborted: true, reason: { name: "AbortError" } });
  });
});
