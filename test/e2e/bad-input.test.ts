import { create, fromBinary, fromJson, fromJsonString, type JsonObject, toBinary, toJson } from "@bufbuild/protobuf";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  EventService,
  ListEventsRequestSchema,
  ListEventsResponseSchema,
  Outcome,
  TrackManyRequestSchema,
  TrackManyResponseSchema,
} from "../../gen/sluice/v1/event_service_pb.ts";
import { encodeEvent } from "../support/events.ts";
import { readErrorDetails } from "../support/grpc-event-client.ts";
import { useSluice } from "../support/sluice-process.ts";
import { field, varint } from "../support/wire-fields.ts";

const sluice = useSluice();
const clients: Client[] = [];
beforeAll(() => sluice.start());
afterAll(() => {
  for (const client of clients) client.close();
});

type Method = "TrackMany" | "ListEvents";
/** Sends the encoding of a request; resolves with that of the response, or with the reason of the error. */
type Send = (method: Method, request: Uint8Array) => Promise<Uint8Array | string>;

const pathOf = (method: Method) => `/${EventService.typeName}/${method}`;

function overGrpc(address: () => string): Send {
  const identity = (bytes: Buffer) => bytes;
  return (method, request) => {
    const client = new Client(address(), credentials.createInsecure());
    clients.push(client);
    const metadata = new Metadata();
    metadata.set("authorization", `Bearer ${sluice.key}`);
    return new Promise((resolve) => {
      client.makeUnaryRequest(pathOf(method), identity, identity, Buffer.from(request), metadata, (error, response) =>
        resolve(response ?? readErrorDetails(error).reason ?? String(error)),
      );
    });
  };
}

async function post(method: Method, type: string, body: Uint8Array): Promise<Response> {
  return fetch(`http://${sluice.httpAddress}${pathOf(method)}`, {
    method: "POST",
    headers: { authorization: `Bearer ${sluice.key}`, "content-type": type },
    body: Buffer.from(body),
  });
}

const readReason = (body: string) => /"reason":"([A-Z_]+)"/.exec(body)?.[1] ?? body;

const overConnect: Send = async (method, request) => {
  const response = await post(method, "application/proto", request);
  return response.ok ? new Uint8Array(await response.arrayBuffer()) : readReason(await response.text());
};

const overGrpcWeb: Send = async (method, request) => {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(request.length, 1);
  const response = await post(method, "application/grpc-web+proto", Buffer.concat([head, request]));
  const reply = Buffer.from(await response.arrayBuffer());
  if (reply.length > 0 && reply[0] === 0) return reply.subarray(5, 5 + reply.readUInt32BE(1));
  const trailers = `${reply.toString()}\n${[...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n")}`;
  const details = /grpc-status-details-bin: ?(\S+)/.exec(trailers)?.[1] ?? "";
  return /[A-Z]+(?:_[A-Z]+)+/.exec(Buffer.from(details, "base64").toString("latin1"))?.[0] ?? trailers;
};

const protocols: [string, Send][] = [
  ["gRPC on :50051", overGrpc(() => sluice.grpcAddress)],
  ["gRPC on :8080", overGrpc(() => sluice.httpAddress)],
  ["Connect", overConnect],
  ["gRPC-Web", overGrpcWeb],
];

const value = (...kind: Uint8Array[]) => field(6, field(1, field(1, "p"), field(2, ...kind)));
const double = (number: number, amount: number) => {
  const bytes = Buffer.alloc(9, (number << 3) | 1);
  bytes.writeDoubleLE(amount, 1);
  return bytes;
};
const name = field(2, "click");
const list = (item: Uint8Array) => field(6, field(1, item));

const badEvents: [what: string, event: Uint8Array, reason: string, path: string][] = [
  ["no name", field(1, "x"), "EVENT_INVALID", "name"],
  ["a NUL in the name", encodeEvent({ name: "a\0b" }), "EVENT_INVALID", "name"],
  [
    "a NUL in an identity",
    encodeEvent({ name: "a", identities: { user: "\0" } }),
    "EVENT_INVALID",
    'identities["user"]',
  ],
  ["invalid UTF-8", field(2, Uint8Array.of(0xff, 0xfe)), "MALFORMED", ""],
  ["NaN as value", encodeEvent({ name: "a", value: Number.NaN }), "EVENT_INVALID", "value"],
  ["∞ as value", encodeEvent({ name: "a", value: Number.POSITIVE_INFINITY }), "EVENT_INVALID", "value"],
  ["NaN in a property", Buffer.concat([name, value(list(double(2, Number.NaN)))]), "EVENT_INVALID", "properties.p[0]"],
  ["a Value without kind", Buffer.concat([name, value()]), "EVENT_INVALID", "properties.p"],
  ["the year 9999", encodeEvent({ name: "a", time: { seconds: 253402300799n } }), "EVENT_INVALID", "time"],
  ["negative nanos", encodeEvent({ name: "a", time: { seconds: 1n, nanos: -1 } }), "EVENT_INVALID", "time.nanos"],
  ["a truncated event", Uint8Array.of(0x12, 0x7f, 0x61), "MALFORMED", ""],
];

const good = (id: string) => encodeEvent({ id, name: "good" });
let runCount = 0;

describe.each(protocols)("over %s", (protocol, send) => {
  it.each(badEvents)("an event with %s is rejected alone", async (_, bad, reason, path) => {
    const ids = [`${protocol}/${++runCount}/a`, `${protocol}/${runCount}/b`] as const;

    const reply = await send(
      "TrackMany",
      Buffer.concat([field(1, good(ids[0])), field(1, bad), field(1, good(ids[1]))]),
    );

    if (typeof reply === "string") throw new Error(reply);
    const { results } = fromBinary(TrackManyResponseSchema, reply);
    expect(results.map(({ outcome }) => outcome)).toEqual([Outcome.ACCEPTED, Outcome.REJECTED, Outcome.ACCEPTED]);
    expect(results[1]?.rejection).toMatchObject({ reason, field: path });
  });

  it("what only the server sets, and unknown fields, are stripped", async () => {
    const id = `${protocol}/stripped`;
    const sent = [
      encodeEvent({ id, name: "n", cursor: "c", entrance: "mine", receiveTime: { seconds: 1n } }),
      varint(99, 1),
    ];

    await send("TrackMany", field(1, ...sent));
    const reply = await send(
      "ListEvents",
      toBinary(ListEventsRequestSchema, create(ListEventsRequestSchema, { pageSize: 1 })),
    );

    if (typeof reply === "string") throw new Error(reply);
    const page = fromBinary(ListEventsResponseSchema, reply);
    expect(page.events[0]).toMatchObject({ id, entrance: expect.stringMatching(/^(grpc|connect|grpc-web)$/) });
    expect(page.events[0]?.cursor).toHaveLength(32);
    expect(page.events[0]?.$unknown ?? []).toEqual([]);
    expect(() => toJson(ListEventsResponseSchema, page)).not.toThrow();
  });

  it.each<[string, JsonObject, string]>([
    ["a page size of -1", { pageSize: -1 }, "FILTER_INVALID"],
    ["an unknown order", { order: 99 }, "FILTER_INVALID"],
    ["an empty name", { filter: { names: [""] } }, "FILTER_INVALID"],
    ["a made-up page token", { pageToken: "A".repeat(54) }, "PAGE_TOKEN_INVALID"],
    ["no page token at all", { pageToken: "x" }, "PAGE_TOKEN_INVALID"],
  ])("a list with %s is refused", async (_, request, reason) => {
    const bytes = toBinary(ListEventsRequestSchema, fromJson(ListEventsRequestSchema, request));

    expect(await send("ListEvents", bytes)).toBe(reason);
  });

  it("a page token of another filter or order is refused", async () => {
    const ask = (request: JsonObject) =>
      send("ListEvents", toBinary(ListEventsRequestSchema, fromJson(ListEventsRequestSchema, request)));
    await send(
      "TrackMany",
      toBinary(TrackManyRequestSchema, create(TrackManyRequestSchema, { events: [{ name: "a" }, { name: "b" }] })),
    );
    const reply = await ask({ pageSize: 1 });
    if (typeof reply === "string") throw new Error(reply);
    const pageToken = fromBinary(ListEventsResponseSchema, reply).nextPageToken;

    expect(pageToken).not.toBe("");
    expect(await ask({ pageToken, order: "ORDER_OLDEST_FIRST" })).toBe("PAGE_TOKEN_INVALID");
    expect(await ask({ pageToken, filter: { names: ["good"] } })).toBe("PAGE_TOKEN_INVALID");
  });
});

describe("over Connect as JSON", () => {
  it.each([
    ["no name", {}, "EVENT_INVALID"],
    ["a NUL in the name", { name: "a\0b" }, "EVENT_INVALID"],
    ["half a surrogate pair", { name: "\ud800" }, "MALFORMED"],
    ["NaN as value", { name: "a", value: "NaN" }, "EVENT_INVALID"],
    ["the year 9999", { name: "a", time: "9999-12-31T23:59:59Z" }, "EVENT_INVALID"],
    ["a time that is none", { name: "a", time: "soon" }, "MALFORMED"],
    ["a number as name", { name: 5 }, "MALFORMED"],
  ])("an event with %s is rejected alone", async (_, bad, reason) => {
    const body = JSON.stringify({ events: [{ name: "good" }, bad, { name: "good" }] });

    const response = await post("TrackMany", "application/json", Buffer.from(body));

    const { results } = fromJsonString(TrackManyResponseSchema, await response.text());
    expect(results.map(({ outcome }) => outcome)).toEqual([Outcome.ACCEPTED, Outcome.REJECTED, Outcome.ACCEPTED]);
    expect(results[1]?.rejection?.reason).toBe(reason);
  });

  it("everything that was accepted can be printed", async () => {
    let pageToken = "";
    do {
      const request = Buffer.from(JSON.stringify({ pageSize: 50, pageToken }));
      const response = await post("ListEvents", "application/json", request);
      expect(response.status).toBe(200);
      pageToken = fromJsonString(ListEventsResponseSchema, await response.text()).nextPageToken;
    } while (pageToken !== "");
  });
});
