import { fromBinary } from "@bufbuild/protobuf";
import type { Client, Transport } from "@connectrpc/connect";
import { createClient } from "@connectrpc/connect";
import {
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import { EventService, Order } from "../../gen/sluice/v1/event_service_pb.ts";
import { toCursor } from "../../src/domain/cursor.ts";
import type { Entrance } from "../../src/domain/entrance.ts";
import { storedEvent } from "../support/fake-event-handlers.ts";
import { lesserKeys } from "../support/test-keys.ts";
import { testKey, useHttpServer } from "../support/use-http-server.ts";

const server = useHttpServer();

const gzip = { sendCompression: compressionGzip, acceptCompression: [compressionGzip], compressMinBytes: 0 };

interface Protocol {
  readonly name: string;
  readonly entrance: Entrance;
  readonly isJson: boolean;
  connect(baseUrl: string): Transport;
}

const protocols: Protocol[] = (["1.1", "2"] as const).flatMap((httpVersion) =>
  [false, true].flatMap((isJson): Protocol[] => {
    const name = `${isJson ? "JSON" : "protobuf"} over HTTP/${httpVersion}`;
    const options = { httpVersion, useBinaryFormat: !isJson };
    return [
      {
        name: `Connect, ${name}`,
        entrance: "connect",
        isJson,
        connect: (baseUrl) => createConnectTransport({ ...options, baseUrl }),
      },
      {
        name: `Connect with GET and gzip, ${name}`,
        entrance: "connect",
        isJson,
        connect: (baseUrl) => createConnectTransport({ ...options, ...gzip, baseUrl, useHttpGet: true }),
      },
      {
        name: `gRPC-Web, ${name}`,
        entrance: "grpc-web",
        isJson,
        connect: (baseUrl) => createGrpcWebTransport({ ...options, baseUrl }),
      },
      {
        name: `gRPC-Web with gzip, ${name}`,
        entrance: "grpc-web",
        isJson,
        connect: (baseUrl) => createGrpcWebTransport({ ...options, ...gzip, baseUrl }),
      },
      ...(httpVersion === "2"
        ? [
            {
              name: `gRPC, ${name}`,
              entrance: "grpc" as const,
              isJson,
              connect: (baseUrl: string) => createGrpcTransport({ useBinaryFormat: !isJson, baseUrl }),
            },
          ]
        : []),
    ];
  }),
);

describe.each(protocols)("$name", ({ connect, entrance, isJson }) => {
  const headers = { authorization: `Bearer ${testKey}` };
  const client = (): Client<typeof EventService> => createClient(EventService, connect(server().url));
  const events = [{ name: "one" }, { name: "two" }];

  function handledCall() {
    const [call, ...others] = server().handlers.calls;
    expect(others).toEqual([]);
    expect(call?.caller).toMatchObject({ project: { name: "test" }, entrance });
    const names = call?.events.map((event) => {
      expect(event instanceof Uint8Array).toBe(!isJson);
      const decoded = event instanceof Uint8Array ? fromBinary(EventSchema, event) : event;
      return "name" in decoded ? decoded.name : "unreadable";
    });
    return { ...call, names };
  }

  it("takes Track", async () => {
    const response = await client().track({ event: { name: "one" } }, { headers });

    expect(response).toMatchObject({ id: "a", cursor: toCursor(storedEvent.position) });
    expect(handledCall()).toMatchObject({ method: "track", names: ["one"] });
    expect(await server().onlyRecord()).toMatchObject({ method: "Track", entrance, code: "OK" });
  });

  it("takes TrackMany", async () => {
    const response = await client().trackMany({ events }, { headers });

    expect(response.results.map(({ id }) => id)).toEqual(["0", "1"]);
    expect(handledCall()).toMatchObject({ method: "trackMany", names: ["one", "two"], isAtomic: false });
  });

  it("takes TrackMany of all or none", async () => {
    await client().trackMany({ events, atomic: true }, { headers });

    expect(handledCall()).toMatchObject({ method: "trackMany", names: ["one", "two"], isAtomic: true });
  });

  it("takes TrackBatch", async () => {
    async function* messages() {
      for (let i = 0; i < 3; i++) yield { events };
    }
    const response = await client().trackBatch(messages(), { headers });

    expect(response.acceptedCount).toBe(6n);
    expect(handledCall()).toMatchObject({ method: "trackBatch", names: ["one", "two", "one", "two", "one", "two"] });
    expect(await server().onlyRecord()).toMatchObject({ method: "TrackBatch", entrance, code: "OK" });
  });

  it("takes ListEvents", async () => {
    server().handlers.page = { events: [storedEvent], nextPageToken: "next" };

    const response = await client().listEvents({ pageSize: 7, order: Order.OLDEST_FIRST }, { headers });

    expect(response.nextPageToken).toBe("next");
    expect(response.events).toMatchObject([{ name: "one", id: "assigned", entrance: "grpc" }]);
    expect(handledCall().request).toMatchObject({ pageSize: 7, order: Order.OLDEST_FIRST });
  });

  it("takes GetEvent", async () => {
    const response = await client().getEvent({ event: { case: "cursor", value: "c" } }, { headers });

    expect(response.event).toMatchObject({ name: "one", id: "assigned", cursor: toCursor(storedEvent.position) });
    expect(handledCall()).toMatchObject({ method: "getEvent", request: { event: { case: "cursor", value: "c" } } });
    expect(await server().onlyRecord()).toMatchObject({ method: "GetEvent", entrance, code: "OK" });
  });

  it("takes TailEvents", async () => {
    server().handlers.tail = async function* () {
      yield { events: [storedEvent, storedEvent], reached: storedEvent.position };
    };
    const filter = { names: ["one"], properties: { status: { kind: { case: "numberValue" as const, value: 404 } } } };

    const answers: unknown[] = [];
    for await (const answer of client().tailEvents({ filter, afterCursor: "c" }, { headers })) answers.push(answer);

    const cursor = toCursor(storedEvent.position);
    expect(answers).toMatchObject([{ events: [{ name: "one" }, { name: "one", id: "assigned" }], cursor }]);
    expect(handledCall()).toMatchObject({ method: "tailEvents", request: { filter, afterCursor: "c" } });
    expect(await server().onlyRecord()).toMatchObject({ method: "TailEvents", entrance, code: "OK" });
  });

  it("takes ListRejectedEvents", async () => {
    const rejected = {
      rejectTime: { seconds: 1_700_000_000n, nanos: 5_000_000 },
      entrance: "grpc",
      id: "a",
      rejection: { reason: "EVENT_INVALID", field: "name", message: "is required" },
      payload: "{}",
    };
    server().handlers.rejectedPage = { events: [rejected], nextPageToken: "next", omittedCount: 3n };

    const response = await client().listRejectedEvents({ pageSize: 7, pageToken: "token" }, { headers });

    expect(response).toMatchObject({ events: [rejected], nextPageToken: "next", omittedCount: 3n });
    expect(handledCall().request).toMatchObject({ pageSize: 7, pageToken: "token" });
  });

  it("takes GetLimits", async () => {
    const quota = { limit: 30n, per: { seconds: 60n }, remaining: 29n, resetAfter: { seconds: 2n } };
    server().handlers.limits = { quotas: [quota], eventCount: 5n, callLimits: { throttleWait: { seconds: 30n } } };

    const response = await client().getLimits({}, { headers });

    expect(response).toMatchObject({
      quotas: [quota],
      eventCount: 5n,
      callLimits: { throttleWait: { seconds: 30n } },
    });
    expect(handledCall()).toMatchObject({ method: "getLimits" });
  });

  it("tells the handlers of the environments that a key is bound to", async () => {
    await client().track({ event: { name: "one" } }, { headers: { authorization: `Bearer ${lesserKeys.production}` } });

    expect(handledCall().caller).toMatchObject({ environments: ["production"] });
    expect(await server().onlyRecord()).toMatchObject({ project: "test", key: "production" });
  });

  it("tells Track without an event", async () => {
    await client().track({}, { headers });

    expect(handledCall()).toMatchObject({ method: "track", names: [] });
  });
});
