import { gzipSync } from "node:zlib";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import {
  EventService,
  GetEventResponseSchema,
  ListEventsRequestSchema,
  ListEventsResponseSchema,
  Outcome,
  TrackManyRequestSchema,
  TrackManyResponseSchema,
  TrackRequestSchema,
  TrackResponseSchema,
} from "../../gen/sluice/v1/event_service_pb.ts";
import { encodeEvent } from "../support/events.ts";
import { call, frame, openCall, readDetails } from "../support/raw-grpc.ts";
import { lesserKeys } from "../support/test-keys.ts";
import { testKey, useGrpcServers } from "../support/use-grpc-server.ts";
import { waitUntil } from "../support/wait-until.ts";
import { field, join, varint } from "../support/wire-fields.ts";

const startServer = useGrpcServers();

const click = field(1, encodeEvent({ id: "a", name: "click" }));
const mebibyte = 1 << 20;
/** A request of exactly so many bytes, which holds a good event and a field that nobody knows. */
function requestOfBytes(size: number): Uint8Array {
  const filled = (length: number) => join(click, field(99, new Uint8Array(length)));
  return filled(2 * size - filled(size).length);
}

describe("a good call", () => {
  it("stores the event's bytes as they were sent", async () => {
    const { port, log, project, records } = await startServer();
    const sent = field(7, "production");

    const { code, response } = await call(port, "Track", frame(field(1, encodeEvent({ name: "click" }), sent)));

    expect(code).toBe(status.OK);
    expect(fromBinary(TrackResponseSchema, response)).toMatchObject({
      duplicate: false,
      cursor: expect.stringMatching(/^[\w-]{32}$/),
    });
    expect(log.stored(project)).toMatchObject([
      { bytes: join(encodeEvent({ name: "click" }), sent), entrance: "grpc" },
    ]);
    await waitUntil(() => records.length > 0);
    expect(records).toMatchObject([
      { method: "Track", entrance: "grpc", code: "OK", project: project.name, key: "all" },
    ]);
  });

  it("has one result for each event of TrackMany", async () => {
    const { port } = await startServer();
    const request = join(click, field(1, "not protobuf"), field(1, encodeEvent({})), click);

    const { response } = await call(port, "TrackMany", frame(request));

    expect(fromBinary(TrackManyResponseSchema, response).results).toMatchObject([
      { outcome: Outcome.ACCEPTED, id: "a" },
      { outcome: Outcome.REJECTED, rejection: { reason: "MALFORMED", field: "" } },
      { outcome: Outcome.REJECTED, rejection: { reason: "EVENT_INVALID", field: "name" } },
      { outcome: Outcome.DUPLICATE, id: "a" },
    ]);
  });

  it("lists what was tracked, page by page", async () => {
    const { port } = await startServer();
    const events = ["a", "b", "c"].map((id) => ({ id, name: "click" }));
    await call(port, "TrackMany", frame(toBinary(TrackManyRequestSchema, create(TrackManyRequestSchema, { events }))));
    const list = async (pageToken: string) => {
      const request = create(ListEventsRequestSchema, { pageSize: 2, pageToken });
      const { response } = await call(port, "ListEvents", frame(toBinary(ListEventsRequestSchema, request)));
      return fromBinary(ListEventsResponseSchema, response);
    };

    const first = await list("");
    const second = await list(first.nextPageToken);

    expect([...first.events, ...second.events]).toMatchObject([
      { id: "c" },
      { id: "b" },
      { id: "a", entrance: "grpc" },
    ]);
    expect(second.nextPageToken).toBe("");
  });

  it("gets one event, by its id and by its cursor", async () => {
    const { port } = await startServer();
    const { response } = await call(port, "Track", frame(click));
    const { id, cursor } = fromBinary(TrackResponseSchema, response);

    for (const wanted of [field(1, id), field(2, cursor)]) {
      const got = await call(port, "GetEvent", frame(wanted));

      expect(got.code).toBe(status.OK);
      expect(fromBinary(GetEventResponseSchema, got.response).event).toMatchObject({ id: "a", name: "click", cursor });
    }
  });

  it("may be compressed, and as large as its method takes", async () => {
    const { port } = await startServer();
    const gzip = { "grpc-encoding": "gzip" };

    expect(await call(port, "Track", frame(gzipSync(click), true), gzip)).toMatchObject({ code: status.OK });
    expect(await call(port, "Track", frame(requestOfBytes(mebibyte)))).toMatchObject({ code: status.OK });
    expect(await call(port, "TrackMany", frame(requestOfBytes(4 * mebibyte)))).toMatchObject({ code: status.OK });
  });
});

describe("a bad call", () => {
  const gzip = { "grpc-encoding": "gzip" };
  const listed = (init: Parameters<typeof create<typeof ListEventsRequestSchema>>[1]) =>
    frame(toBinary(ListEventsRequestSchema, create(ListEventsRequestSchema, init)));
  const { INVALID_ARGUMENT, RESOURCE_EXHAUSTED } = status;

  it.each<
    [what: string, method: string, bytes: Uint8Array, headers: Record<string, string>, code: number, reason: string]
  >([
    ["malformed protobuf in Track", "Track", frame(Buffer.from("garbage")), {}, INVALID_ARGUMENT, "MALFORMED"],
    ["malformed protobuf in TrackMany", "TrackMany", frame(Uint8Array.of(0x0a)), {}, INVALID_ARGUMENT, "MALFORMED"],
    ["malformed protobuf in ListEvents", "ListEvents", frame(Uint8Array.of(0xff)), {}, INVALID_ARGUMENT, "MALFORMED"],
    ["a malformed event", "Track", frame(field(1, "garbage")), {}, INVALID_ARGUMENT, "MALFORMED"],
    ["an event with a wrong wire type", "Track", frame(field(1, varint(2, 1))), {}, INVALID_ARGUMENT, "MALFORMED"],
    ["no event in Track", "Track", frame(new Uint8Array()), {}, INVALID_ARGUMENT, "EVENT_INVALID"],
    ["no events in TrackMany", "TrackMany", frame(new Uint8Array()), {}, INVALID_ARGUMENT, "MALFORMED"],
    ["an invalid event", "Track", frame(field(1, encodeEvent({ id: "a" }))), {}, INVALID_ARGUMENT, "EVENT_INVALID"],
    ["501 events", "TrackMany", frame(join(...Array(501).fill(click))), {}, RESOURCE_EXHAUSTED, "TOO_LARGE"],
    ["a negative page size", "ListEvents", listed({ pageSize: -1 }), {}, INVALID_ARGUMENT, "FILTER_INVALID"],
    ["an unknown order", "ListEvents", frame(varint(2, 9)), {}, INVALID_ARGUMENT, "FILTER_INVALID"],
    [
      "a time that is none",
      "ListEvents",
      listed({ filter: { receiveTimeFrom: { nanos: -1 } } }),
      {},
      INVALID_ARGUMENT,
      "FILTER_INVALID",
    ],
    ["no event wanted", "GetEvent", frame(new Uint8Array()), {}, INVALID_ARGUMENT, "FILTER_INVALID"],
    ["a cursor that is none", "GetEvent", frame(field(2, "x")), {}, INVALID_ARGUMENT, "FILTER_INVALID"],
    ["an event that is not there", "GetEvent", frame(field(1, "b")), {}, status.NOT_FOUND, "EVENT_NOT_FOUND"],
    ["malformed protobuf in GetEvent", "GetEvent", frame(Uint8Array.of(0xff)), {}, INVALID_ARGUMENT, "MALFORMED"],
    ["malformed protobuf in TailEvents", "TailEvents", frame(Uint8Array.of(0xff)), {}, INVALID_ARGUMENT, "MALFORMED"],
    ["a tail after no cursor", "TailEvents", frame(field(2, "x")), {}, INVALID_ARGUMENT, "FILTER_INVALID"],
    ["a tail with an end", "TailEvents", frame(field(1, field(9, ""))), {}, INVALID_ARGUMENT, "FILTER_INVALID"],
    [
      "two messages in TailEvents",
      "TailEvents",
      join(frame(field(2, "x")), frame(new Uint8Array())),
      {},
      INVALID_ARGUMENT,
      "MALFORMED",
    ],
    ["a bad page token", "ListEvents", listed({ pageToken: "x" }), {}, INVALID_ARGUMENT, "PAGE_TOKEN_INVALID"],
    ["a truncated frame", "Track", frame(click).subarray(0, -1), {}, INVALID_ARGUMENT, "MALFORMED"],
    ["a truncated head of a frame", "Track", frame(click).subarray(0, 3), {}, INVALID_ARGUMENT, "MALFORMED"],
    ["no message", "Track", new Uint8Array(), {}, INVALID_ARGUMENT, "MALFORMED"],
    ["two messages", "Track", join(frame(click), frame(click)), {}, INVALID_ARGUMENT, "MALFORMED"],
    ["two messages in TrackMany", "TrackMany", join(frame(click), frame(click)), {}, INVALID_ARGUMENT, "MALFORMED"],
    [
      "a Track message of 1 MiB and a byte",
      "Track",
      frame(requestOfBytes(mebibyte + 1)),
      {},
      RESOURCE_EXHAUSTED,
      "TOO_LARGE",
    ],
    [
      "a TrackMany message of 4 MiB and a byte",
      "TrackMany",
      frame(requestOfBytes(4 * mebibyte + 1)),
      {},
      RESOURCE_EXHAUSTED,
      "TOO_LARGE",
    ],
    ["a frame that says 4 GiB", "Track", Uint8Array.of(0, 255, 255, 255, 255, 1), {}, RESOURCE_EXHAUSTED, "TOO_LARGE"],
    [
      "a gzip bomb",
      "Track",
      frame(gzipSync(new Uint8Array(64 * mebibyte)), true),
      gzip,
      RESOURCE_EXHAUSTED,
      "TOO_LARGE",
    ],
    ["bytes that are not gzip", "Track", frame(click, true), gzip, INVALID_ARGUMENT, "MALFORMED"],
    [
      "gzip that is cut off",
      "Track",
      frame(gzipSync(click).subarray(0, -9), true),
      gzip,
      INVALID_ARGUMENT,
      "MALFORMED",
    ],
    ["a deadline that is none", "Track", frame(click), { "grpc-timeout": "soon" }, INVALID_ARGUMENT, "MALFORMED"],
  ])("is refused with its reason: %s", async (_what, method, bytes, headers, code, reason) => {
    const { port, log, project, records } = await startServer();

    const end = await call(port, method, bytes, headers);

    expect(end).toMatchObject({ httpStatus: 200, code, details: { reason, domain: "sluice" } });
    expect(end.message).not.toBe("");
    expect(log.stored(project)).toEqual([]);
    expect(records).toMatchObject([{ method, code: status[code], reason }]);
    expect(await call(port, "Track", frame(click))).toMatchObject({ code: status.OK });
  });

  it("names the fields at fault", async () => {
    const { port } = await startServer();
    const event = encodeEvent({ name: "click", properties: { price: Number.NaN } });

    expect(await call(port, "Track", frame(field(1, event)))).toMatchObject({
      details: { fields: ["event.properties.price"] },
    });
    expect(await call(port, "Track", frame(new Uint8Array()))).toMatchObject({ details: { fields: ["event"] } });
  });

  it("says when to try again where that makes sense", async () => {
    const { port, log } = await startServer();
    log.failWhen(() => "STORAGE_UNAVAILABLE");

    expect(await call(port, "Track", frame(click))).toMatchObject({
      code: status.UNAVAILABLE,
      details: { reason: "STORAGE_UNAVAILABLE", hasRetryDelay: true },
    });
  });

  it.each<[string, Record<string, string | undefined>, number, string]>([
    ["without a key", { authorization: undefined }, status.UNAUTHENTICATED, "KEY_MISSING"],
    ["with a key of no project", { authorization: "Bearer wrong" }, status.UNAUTHENTICATED, "KEY_INVALID"],
    ["with another scheme", { authorization: "Basic dTpw" }, status.UNAUTHENTICATED, "KEY_MISSING"],
    [
      "with a key for nothing",
      { authorization: `Bearer ${lesserKeys.nothing}` },
      status.PERMISSION_DENIED,
      "PERMISSION_MISSING",
    ],
  ])("is refused %s, before any message is sent", async (_, headers, code, reason) => {
    const { port, records } = await startServer();

    for (const { name } of EventService.methods) {
      expect(await openCall(port, name, headers).end).toMatchObject({ code, details: { reason, domain: "sluice" } });
    }
    expect(records.map(({ method }) => method)).toEqual(EventService.methods.map(({ name }) => name));
  });

  it("is UNIMPLEMENTED in an unknown compression, method or service", async () => {
    const { port } = await startServer();
    const unimplemented = { code: status.UNIMPLEMENTED };

    expect(await call(port, "Track", frame(click, true), { "grpc-encoding": "br" })).toMatchObject(unimplemented);
    expect(await call(port, "Untrack", frame(click))).toMatchObject(unimplemented);
    expect(await call(port, "/shop.v1.Shop/Buy", frame(click))).toMatchObject(unimplemented);
  });

  it("is answered 415 with another content type", async () => {
    const { port } = await startServer();

    const { httpStatus } = await call(port, "Track", Buffer.from("{}"), { "content-type": "application/json" });

    expect(httpStatus).toBe(415);
  });
});

describe("a call that its caller leaves", () => {
  it("is ended when its message does not come", async () => {
    const { port, records } = await startServer({ limits: { messageTimeoutMs: 20 } });
    const silent = openCall(port, "Track");
    const stalled = openCall(port, "TrackMany");
    stalled.stream.write(frame(click).subarray(0, 7));
    const unfinished = openCall(port, "ListEvents");
    unfinished.stream.write(frame(new Uint8Array()));

    for (const { end } of [silent, stalled, unfinished]) {
      expect(await end).toMatchObject({ code: status.DEADLINE_EXCEEDED, details: { reason: "STREAM_IDLE" } });
    }
    expect(records).toHaveLength(3);
  });

  it("is ended when its request does not, also while its message is decompressed", async () => {
    const { port } = await startServer({ limits: { messageTimeoutMs: 10 } });
    const message = frame(gzipSync(new Uint8Array(4 * mebibyte - 1)), true);
    const calls = Array.from({ length: 20 }, () => openCall(port, "TrackMany", { "grpc-encoding": "gzip" }));
    for (const { stream } of calls) stream.write(message);

    for (const { end } of calls) expect(await end).toMatchObject({ details: { reason: "STREAM_IDLE" } });
  });

  it.each([
    ["its deadline, and its signal is aborted", {}],
    ["a deadline that is later than timers begin", { messageTimeoutMs: 10 }],
  ])("ends at %s", async (_, limits) => {
    const { port, log, records } = await startServer({ limits });
    log.hold();

    const { code } = await call(port, "Track", frame(click), { "grpc-timeout": "50m" });

    expect(code).toBe(status.DEADLINE_EXCEEDED);
    expect(log.appends[0]?.options.signal?.aborted).toBe(true);
    expect(records).toMatchObject([{ code: "DEADLINE_EXCEEDED" }]);
    log.release();
  });

  it("goes on when only its answer takes longer than a message may", async () => {
    const { port, log } = await startServer({ limits: { messageTimeoutMs: 10 } });
    log.hold();
    const answer = call(port, "Track", frame(click), { "grpc-timeout": "10S" });
    // One whose message does not come ends later than this one would.
    await openCall(port, "Track").end;
    log.release();

    expect((await answer).code).toBe(status.OK);
  });

  it("ends at its deadline when its message never came", async () => {
    const { port } = await startServer();

    expect(await openCall(port, "Track", { "grpc-timeout": "20m" }).end).toMatchObject({
      code: status.DEADLINE_EXCEEDED,
    });
  });

  it("has its signal aborted when it is cancelled, and nothing is stored", async () => {
    const { port, log, project, records } = await startServer();
    log.hold();
    const { stream } = openCall(port, "Track");
    stream.end(frame(click));
    await waitUntil(() => log.appends.length > 0);
    stream.close(8);

    await waitUntil(() => log.appends[0]?.options.signal?.aborted);
    log.release();
    await waitUntil(() => records.length > 0);
    expect(records).toMatchObject([{ method: "Track", code: "CANCELLED", reason: "CALL_ENDED" }]);
    expect(log.stored(project)).toEqual([]);
  });

  it("has its signal aborted when the connection is gone", async () => {
    const { port, log, records } = await startServer();
    log.hold();
    const { stream, session } = openCall(port, "TrackMany");
    stream.end(frame(click));
    await waitUntil(() => log.appends.length > 0);
    session.destroy();

    await waitUntil(() => log.appends[0]?.options.signal?.aborted);
    log.release();
    await waitUntil(() => records.length > 0);
    expect(records).toMatchObject([{ reason: "CALL_ENDED" }]);
  });
});

describe("a stock client", () => {
  const identity = (bytes: Buffer) => bytes;

  function track(port: number, request: Uint8Array, key = testKey): Promise<Buffer> {
    const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    const metadata = new Metadata();
    metadata.set("authorization", `Bearer ${key}`);
    return new Promise<Buffer>((resolve, reject) => {
      const path = "/sluice.v1.EventService/Track";
      client.makeUnaryRequest(path, identity, identity, Buffer.from(request), metadata, (error, response) => {
        client.close();
        if (error !== null || response === undefined) reject(error);
        else resolve(response);
      });
    });
  }

  it("tracks an event", async () => {
    const { port } = await startServer();
    const request = toBinary(TrackRequestSchema, create(TrackRequestSchema, { event: { id: "a", name: "click" } }));

    expect(fromBinary(TrackResponseSchema, await track(port, request))).toMatchObject({ id: "a" });
  });

  it("finds the details of an error in its metadata", async () => {
    const { port } = await startServer();

    const error: ServiceError = await track(port, new Uint8Array(), "wrong").then(
      () => expect.unreachable(),
      (thrown) => thrown,
    );

    expect(error.code).toBe(status.UNAUTHENTICATED);
    expect(readDetails(Buffer.from(error.metadata.get("grpc-status-details-bin")[0] ?? ""))).toMatchObject({
      reason: "KEY_INVALID",
      domain: "sluice",
    });
  });
});
