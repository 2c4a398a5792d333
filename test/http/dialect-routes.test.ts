import { once } from "node:events";
import { connect } from "node:http2";
import { gzipSync } from "node:zlib";
import type { JsonObject } from "@bufbuild/protobuf";
import { fromBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import type { ListEvents } from "../../src/domain/list-events.ts";
import { eventToAppend } from "../support/events.ts";
import { madeUp } from "../support/made-up-dialect.ts";
import { openSocket } from "../support/open-socket.ts";
import { lesserKeys, testKey } from "../support/test-keys.ts";
import type { DialectTestOptions } from "../support/use-dialects.ts";
import { useDialects } from "../support/use-dialects.ts";
import { waitUntil } from "../support/wait-until.ts";

const start = useDialects();
const startMadeUp = (options: DialectTestOptions = {}) => start({ dialects: [madeUp], ...options });

const bearer = (key = testKey) => ({ authorization: `Bearer ${key}` });
const event = JSON.stringify({ what: "click" });

function post(url: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`${url}/made-up/mine/events`, {
    method: "POST",
    body: event,
    ...init,
    headers: { ...bearer(), ...init.headers },
  });
}

async function storedNames({ log, project }: Awaited<ReturnType<typeof start>>): Promise<string[]> {
  return log.stored(project).map(({ bytes }) => fromBinary(EventSchema, bytes).name);
}

describe("a dialect", () => {
  it("stores an event, says what became of it, and has a line in the call log", async () => {
    const server = await startMadeUp();
    const answer = await post(server.url);

    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({ kind: "accepted" });
    expect(server.log.stored(server.project)).toMatchObject([{ entrance: "made-up", isTimeAbsent: true }]);
    expect(server.records).toMatchObject([
      { method: "made-up/track", entrance: "made-up", code: "OK", key: "all", project: server.project.name },
    ]);
  });

  it("stores an event once under one Idempotency-Key, quoted or not", async () => {
    const server = await startMadeUp();
    const kinds = [];
    for (const key of ["order-7", '"order-7"', "order-8"]) {
      const answer = await post(server.url, { headers: { "idempotency-key": key } });
      kinds.push(await answer.json());
    }

    expect(kinds).toEqual([{ kind: "accepted" }, { kind: "duplicate" }, { kind: "accepted" }]);
    expect(server.log.appends.map(({ events }) => events[0]?.id)).toEqual(["order-7/0", "order-7/0", "order-8/0"]);
  });

  it.each(["", "ä", "x".repeat(121)])("refuses the Idempotency-Key %j", async (key) => {
    const server = await startMadeUp();
    const answer = await post(server.url, { headers: { "idempotency-key": key } });

    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ refused: "EVENT_INVALID", fields: ["Idempotency-Key"] });
    expect(await storedNames(server)).toEqual([]);
  });

  it.each([
    ["no key", undefined, 401, "KEY_MISSING"],
    ["an unknown key", "Bearer unknown", 401, "KEY_INVALID"],
    ["another scheme", `Basic ${testKey}`, 401, "KEY_MISSING"],
    ["a key that may not track", `bearer ${lesserKeys.list}`, 403, "PERMISSION_MISSING"],
  ])("refuses %s before it reads the body", async (_, authorization, status, reason) => {
    const server = await startMadeUp();
    const head = `POST /made-up/mine/events HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n`;
    const { socket, received } = await openSocket(
      server.port,
      `${head}${authorization === undefined ? "" : `Authorization: ${authorization}\r\n`}\r\n`,
    );

    await waitUntil(() => received().includes(reason));
    expect(received()).toContain(`HTTP/1.1 ${status} `);
    socket.destroy();
  });

  it("refuses a key of another project, in the dialect's words", async () => {
    const { url } = await startMadeUp();
    const answer = await fetch(`${url}/made-up/another/events`, { method: "POST", headers: bearer(), body: event });

    expect([answer.status, await answer.json()]).toEqual([
      400,
      { refused: "PROJECT_UNKNOWN", message: "no such project", fields: [] },
    ]);
  });

  it.each([
    ["the right key", testKey, 204],
    ["a key that is unknown", "unknown", 401],
    ["a key that may not track", lesserKeys.list, 403],
  ])("takes %s from the body where it is there", async (_, key, status) => {
    const server = await startMadeUp();
    const body = JSON.stringify({ what: "click", key });
    const answer = await fetch(`${server.url}/made-up/beacon`, { method: "POST", body });

    expect(answer.status).toBe(status);
    expect(await storedNames(server)).toEqual(status === 204 ? ["click"] : []);
  });

  it("names the field at fault as the vendor does, be it refused by the dialect or by us", async () => {
    const { url } = await startMadeUp();
    const bodies = [{ what: "refused" }, { what: "" }, { name: "" }];
    const answers = await Promise.all(
      bodies.map(async (body) => (await post(url, { body: JSON.stringify(body) })).json()),
    );

    expect(answers).toEqual([
      { refused: "EVENT_INVALID", message: "what is refused", fields: ["what"] },
      { refused: "EVENT_INVALID", message: "what is required", fields: ["what"] },
      { refused: "EVENT_INVALID", message: "name is refused", fields: ["name"] },
    ]);
  });

  it.each<[string, RequestInit, number, string]>([
    ["a body that is too large", { body: JSON.stringify({ what: "x".repeat(1000) }) }, 413, "TOO_LARGE"],
    [
      "a body that is too large once inflated",
      { body: gzipSync(Buffer.alloc(1001, " ")), headers: { "content-encoding": "gzip" } },
      413,
      "TOO_LARGE",
    ],
    ["an unknown encoding", { headers: { "content-encoding": "br" } }, 415, "UNSUPPORTED_MEDIA_TYPE"],
    ["a body that is no JSON", { body: "{" }, 400, "MALFORMED"],
    ["no body", { body: null }, 400, "MALFORMED"],
    ["a body that is not UTF-8", { body: Buffer.from([34, 255, 34]) }, 400, "MALFORMED"],
    [
      "a body of another type",
      { body: "<a/>", headers: { "content-type": "text/xml" } },
      415,
      "UNSUPPORTED_MEDIA_TYPE",
    ],
  ])("refuses %s", async (_, init, status, reason) => {
    const server = await startMadeUp();
    const answer = await post(server.url, init);

    expect(answer.status).toBe(status);
    expect(await answer.json()).toMatchObject({ refused: reason });
    expect(server.records).toMatchObject([{ code: String(status), reason, key: "all" }]);
  });

  it("refuses a content type that cannot be read", async () => {
    const { url } = await startMadeUp();
    const answer = await post(url, { headers: { "content-type": ";;" } });

    expect(answer.status).toBe(415);
    expect(await answer.json()).toMatchObject({ refused: "UNSUPPORTED_MEDIA_TYPE" });
  });

  it.each<[string, RequestInit]>([
    ["gzip", { body: gzipSync(event), headers: { "content-encoding": "gzip" } }],
    ["JSON that is not called so", { headers: { "content-type": "text/xml" } }],
    ["JSON that is called a form", { headers: { "content-type": "application/x-www-form-urlencoded" } }],
    ["JSON without a type", { body: Buffer.from(event) }],
  ])("takes %s", async (_, init) => {
    const server = await startMadeUp();

    expect((await post(server.url, init)).status).toBe(200);
    expect(await storedNames(server)).toEqual(["click"]);
  });

  it("takes a form, and tells what it understood", async () => {
    const server = await startMadeUp();
    const answer = await post(server.url, { body: new URLSearchParams({ what: "ä b" }) });

    expect(answer.headers.get("sluice-notice")).toBe("a form");
    expect(await storedNames(server)).toEqual(["ä b"]);
  });

  it("answers other methods with those that there are, without a key", async () => {
    const server = await startMadeUp();
    const { url } = server;
    for (const [method, message] of [
      ["PUT", "the method has to be POST, GET"],
      ["DELETE", "what is stored stays"],
      ["PROPFIND", "the method has to be POST, GET"],
    ] as const) {
      const answer = await fetch(`${url}/made-up/mine/events`, { method });

      expect([answer.status, answer.headers.get("allow")]).toEqual([405, "POST, GET"]);
      expect(await answer.json()).toMatchObject({ refused: "METHOD_NOT_ALLOWED", message });
    }
    expect(server.records).toMatchObject(Array(3).fill({ method: "unknown", entrance: "made-up", code: "405" }));
  });

  it.each([
    ["an unknown path", "/made-up/mine/others", 404, "PATH_UNKNOWN"],
    ["a path that cannot be decoded", "/made-up/%zz/events", 400, "MALFORMED"],
    ["a path with a part that is too long", `/made-up/${"x".repeat(1025)}/events`, 414, "MALFORMED"],
  ])("refuses %s in its shape", async (_, path, status, reason) => {
    const { url } = await startMadeUp();
    const answer = await fetch(url + path, { method: "POST", headers: bearer(), body: event });

    expect([answer.status, await answer.json()]).toMatchObject([status, { refused: reason }]);
    expect((await fetch(`${url}/elsewhere`)).status).toBe(404);
  });

  it("has an answer, and a line in the log, when it cannot put its own into words", async () => {
    const circular: JsonObject = {};
    circular.itself = circular;
    const endpoints = madeUp.endpoints.map((endpoint) =>
      endpoint.kind === "open" ? { ...endpoint, answer: () => ({ status: 200, body: circular }) } : endpoint,
    );
    const server = await startMadeUp({ dialects: [{ ...madeUp, endpoints }] });
    const answer = await fetch(`${server.url}/made-up/time`);

    expect([answer.status, await answer.json()]).toMatchObject([500, { refused: "INTERNAL" }]);
    expect(server.records).toMatchObject([{ code: "500", reason: "INTERNAL", cause: expect.any(Error) }]);
  });

  it("serves a path with a long part", async () => {
    const { url } = await startMadeUp();
    const path = `/made-up/${"x".repeat(1024)}/events`;

    expect((await fetch(url + path, { method: "POST", headers: bearer(), body: event })).status).toBe(200);
  });

  it.each([
    ["with a key", { bodyBytesMax: 10, keylessBodyBytesMax: 1 << 20 }, [503, 204]],
    ["without one", { keylessBodyBytesMax: 10 }, [200, 503]],
  ])("has bodies %s take a budget of their own", async (_, budgets, statuses) => {
    const { url } = await startMadeUp({ budgets });
    const keyed = await post(url);
    const keyless = await fetch(`${url}/made-up/beacon`, {
      method: "POST",
      body: JSON.stringify({ what: "click", key: testKey }),
    });

    expect([keyed.status, keyless.status]).toEqual(statuses);
  });

  it("takes no gzip before it has seen a key", async () => {
    const { url } = await startMadeUp();
    const body = gzipSync(JSON.stringify({ what: "click", key: testKey }));
    const answer = await fetch(`${url}/made-up/beacon`, {
      method: "POST",
      body,
      headers: { "content-encoding": "gzip" },
    });

    expect(answer.status).toBe(415);
  });

  it("is not served under a name that no entrance can have", async () => {
    await expect(startMadeUp({ dialects: [{ ...madeUp, entrance: "Made up" }] })).rejects.toThrow(
      "no dialect can be called Made up",
    );
  });

  it("answers everyone where it needs no key", async () => {
    const { url } = await startMadeUp();
    const answer = await fetch(`${url}/made-up/time`);

    expect(answer.headers.get("x-made-up")).toBe("yes");
    expect(await answer.json()).toEqual(expect.any(Number));
  });

  it("says what rate limits have left, and when to come again", async () => {
    const { url } = await startMadeUp({ settings: { rateLimits: [{ events: 1, perMs: 60_000 }] } });
    const [first, second] = [await post(url), await post(url)];

    expect(first.headers.get("ratelimit")).toBe('"1-per-1m";r=0;t=60');
    expect(first.headers.get("x-left")).toBe("0");
    expect([second.status, second.headers.get("retry-after")]).toEqual([429, "2"]);
    expect(second.headers.get("x-left")).toBe("0");
    expect(await second.json()).toMatchObject({ refused: "RATE_LIMITED" });
  });

  it("is answered 503 while the server is starting", async () => {
    const { url } = await startMadeUp({ isStarting: true });
    const answer = await post(url);

    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(await answer.json()).toMatchObject({ refused: "STORAGE_UNAVAILABLE" });
  });

  it("says that a request does not come, and that storage takes too long", async () => {
    const server = await startMadeUp({ limits: { requestMs: 50 } });
    const { received, socket } = await openSocket(
      server.port,
      `POST /made-up/mine/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${testKey}\r\nContent-Length: 9\r\n\r\n{`,
    );
    await waitUntil(() => received().includes("STREAM_IDLE"));
    expect(received()).toContain("HTTP/1.1 408 ");
    socket.destroy();

    server.log.hold();
    const answer = await post(server.url);
    expect([answer.status, await answer.json()]).toMatchObject([504, { refused: "DEADLINE_EXCEEDED" }]);
    server.log.release();
  });

  it("stores what came whole, though its sender hung up", async () => {
    const server = await startMadeUp();
    server.log.hold();
    const head = `POST /made-up/mine/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${testKey}\r\n`;
    const { socket } = await openSocket(server.port, `${head}Content-Length: ${event.length}\r\n\r\n${event}`);
    await waitUntil(() => server.log.appends.length === 1);
    socket.destroy();
    await once(socket, "close");
    server.log.release();

    await waitUntil(async () => (await storedNames(server)).length === 1);
  });

  it("stores nothing of a request that was cut off", async () => {
    const server = await startMadeUp();
    const head = `POST /made-up/mine/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${testKey}\r\n`;
    const { socket } = await openSocket(server.port, `${head}Content-Length: 100\r\n\r\n${event}`);
    socket.end();

    const record = await waitUntil(() => server.records[0]);
    expect(record).toMatchObject({ code: "499", reason: "CALL_ENDED" });
    expect(await storedNames(server)).toEqual([]);
  });

  it("is spoken over HTTP/2, too", async () => {
    const server = await startMadeUp();
    const session = connect(server.url);
    const stream = session.request({ ":method": "POST", ":path": "/made-up/mine/events", ...bearer() });
    stream.end(event);
    const [headers] = await once(stream, "response");
    session.destroy();

    expect(headers).toMatchObject({ ":status": 200 });
    expect(await storedNames(server)).toEqual(["click"]);
  });

  it("binds an event to the environment of its key", async () => {
    const { log, project, url } = await startMadeUp();
    await post(url, { headers: bearer(lesserKeys.production) });

    expect(log.stored(project).map(({ bytes }) => fromBinary(EventSchema, bytes).environment)).toEqual(["production"]);
  });
});

describe("the list of a dialect", () => {
  const list = async (url: string, query: string, key = testKey) => {
    const answer = await fetch(`${url}/made-up/mine/events?${query}`, { headers: bearer(key) });
    const body: { events?: object[]; next?: string; refused?: string } = JSON.parse(await answer.text());
    return { status: answer.status, body };
  };
  const send = async (url: string, names: readonly string[]) => {
    for (const [i, what] of names.entries()) {
      await post(url, { body: JSON.stringify({ what }), headers: { "idempotency-key": `e${i}` } });
    }
  };

  it("goes on behind its last page, or behind an event", async () => {
    const { url } = await startMadeUp();
    await send(url, ["a", "b", "c"]);
    const { body: first } = await list(url, "limit=2");

    expect(first).toMatchObject({ events: [{ name: "c", id: "e2/0" }, { name: "b" }] });
    for (const after of [first.next, "e1/0"]) {
      const { body } = await list(url, `limit=2&after=${encodeURIComponent(after ?? "")}`);
      expect(body).toEqual({ events: [{ id: "e0/0", name: "a" }], next: null });
    }
  });

  it("fills its pages, however few events match", async () => {
    const { log, project, url } = await startMadeUp();
    const names = Array.from({ length: 24_000 }, (_, i) => (i % 6000 === 0 ? "rare" : "frequent"));
    const events = names.map((name, i) => eventToAppend(`${i}`, { name }));
    await log.append(project, "grpc", events);
    const { body } = await list(url, "limit=3&name=rare");

    expect(body).toMatchObject({
      events: [{ id: "18000" }, { id: "12000" }, { id: "6000" }],
      next: expect.any(String),
    });
    expect((await list(url, `limit=3&name=rare&after=${body.next}`)).body).toMatchObject({
      events: [{ id: "0" }],
      next: null,
    });
  });

  it.each(["nonsense", "a".repeat(54)])("refuses to go on behind %s", async (after) => {
    const { url } = await startMadeUp();

    expect(await list(url, `after=${after}`)).toMatchObject({ status: 400, body: { refused: "PAGE_TOKEN_INVALID" } });
  });

  it("is given up when its client is gone", async () => {
    const { promise: ended, resolve } = Promise.withResolvers<unknown>();
    const listEvents: ListEvents = ({ signal }) =>
      new Promise((_, reject) => {
        signal?.addEventListener("abort", () => {
          resolve(signal.reason);
          reject(signal.reason);
        });
      });
    const server = await startMadeUp({ listEvents });
    const head = `GET /made-up/mine/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${testKey}\r\n\r\n`;
    const { socket } = await openSocket(server.port, head);
    await waitUntil(() => socket.bytesWritten > 0);
    socket.destroy();

    expect(await ended).toMatchObject({ reason: "CALL_ENDED" });
    await waitUntil(() => server.records.length === 1);
  });

  it("names what it does not take as the vendor does", async () => {
    const { url } = await startMadeUp();

    expect(await list(url, "name=")).toMatchObject({
      status: 400,
      body: { refused: "FILTER_INVALID", message: expect.stringMatching(/^name\[0\] /), fields: ["name[0]"] },
    });
  });

  it("is for keys that may list", async () => {
    const { url } = await startMadeUp();

    expect(await list(url, "", lesserKeys.track)).toMatchObject({
      status: 403,
      body: { refused: "PERMISSION_MISSING" },
    });
  });

  it("fails as storage does", async () => {
    const { log, url } = await startMadeUp();
    log.failReads("STORAGE_UNAVAILABLE");

    expect(await list(url, "")).toMatchObject({ status: 503, body: { refused: "STORAGE_UNAVAILABLE" } });
  });
});
