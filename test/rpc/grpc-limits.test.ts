import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { EventService, Outcome } from "../../gen/sluice/v1/event_service_pb.ts";
import type { RejectedEvent } from "../../src/domain/ports.ts";
import { emptyTail, fakeEventHandlers } from "../support/fake-event-handlers.ts";
import { fakeRetryDelayMs } from "../support/fake-event-log.ts";
import type { GrpcEnd } from "../support/raw-grpc.ts";
import { call, frame } from "../support/raw-grpc.ts";
import { lesserKeys, testKey } from "../support/test-keys.ts";
import { useGrpcServers } from "../support/use-grpc-server.ts";

const startServer = useGrpcServers();

const { track, trackMany, trackBatch, getLimits, listRejectedEvents } = EventService.method;
const perMinute = { events: 2, perMs: 60_000 };
const perDay = { events: 10, perMs: 86_400_000 };
const settings = { rateLimits: [perMinute, perDay] };
const events = ["a", "b", "c", "d"].map((id) => ({ id, name: "click" }));
const retryDelay = { seconds: BigInt(fakeRetryDelayMs / 1000) };

interface Method<I extends DescMessage, O extends DescMessage> {
  readonly name: string;
  readonly input: I;
  readonly output: O;
}

function callWith<I extends DescMessage>(
  port: number,
  { name, input }: Method<I, DescMessage>,
  init: MessageInitShape<I>,
  key = testKey,
): Promise<GrpcEnd> {
  return call(port, name, frame(toBinary(input, create(input, init))), { authorization: `Bearer ${key}` });
}

async function answerOf<I extends DescMessage, O extends DescMessage>(
  port: number,
  method: Method<I, O>,
  init: MessageInitShape<I>,
  key?: string,
): Promise<MessageShape<O>> {
  const end = await callWith(port, method, init, key);
  expect(end).toMatchObject({ code: status.OK });
  return fromBinary(method.output, end.response);
}

describe("a project with rate limits", () => {
  it("has the tightest of them in every answer", async () => {
    const { port } = await startServer({ settings });
    const per = { seconds: 60n };

    expect(await answerOf(port, track, { event: events[0] })).toMatchObject({
      quota: { limit: 2n, per, remaining: 1n, resetAfter: { seconds: 30n } },
    });
    expect(await answerOf(port, trackMany, { events: events.slice(0, 2) })).toMatchObject({
      quota: { limit: 2n, per, remaining: 0n },
    });
    expect(await answerOf(port, trackBatch, { events: events.slice(0, 2) })).toMatchObject({
      duplicateCount: 2n,
      quota: { limit: 2n, per, remaining: 0n },
    });
  });

  it("throttles the events beyond, and stores those before", async () => {
    const { port } = await startServer({ settings });

    const { results } = await answerOf(port, trackMany, { events });

    expect(results).toMatchObject([
      { outcome: Outcome.ACCEPTED, id: "a" },
      { outcome: Outcome.ACCEPTED, id: "b" },
      { outcome: Outcome.THROTTLED, id: "c", retryDelay },
      { outcome: Outcome.THROTTLED, id: "d", retryDelay },
    ]);
  });

  it("refuses Track and an atomic TrackMany when nothing is left", async () => {
    const { port, log, project } = await startServer({ settings });
    await answerOf(port, trackMany, { events: events.slice(0, 2), atomic: true });
    const refused = { code: status.RESOURCE_EXHAUSTED, details: { reason: "RATE_LIMITED", hasRetryDelay: true } };

    expect(await callWith(port, track, { event: events[2] })).toMatchObject(refused);
    expect(await callWith(port, trackMany, { events: events.slice(1, 3), atomic: true })).toMatchObject(refused);
    expect(log.stored(project)).toHaveLength(2);
  });

  it("refuses an atomic TrackMany that can never pass", async () => {
    const { port } = await startServer({ settings });

    expect(await callWith(port, trackMany, { events, atomic: true })).toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: { reason: "ATOMIC_TOO_LARGE", fields: ["events"] },
    });
  });

  it("ends a stream that is throttled for too long with its response", async () => {
    const { port } = await startServer({ settings });

    expect(await answerOf(port, trackBatch, { events })).toMatchObject({
      acceptedCount: 2n,
      throttledCount: 2n,
      nextIndex: 2n,
      failures: [
        { index: 2n, id: "c", outcome: Outcome.THROTTLED, retryDelay },
        { index: 3n, id: "d", outcome: Outcome.THROTTLED, retryDelay },
      ],
    });
  });
});

describe("TrackMany", () => {
  it("rejects for now what storage was too full for, beside events that are stored", async () => {
    const { port, log } = await startServer();
    log.failWhen(({ id }) => (id === "b" ? "STORAGE_FULL" : id === "c" ? "OUTCOME_UNKNOWN" : undefined));

    const { results } = await answerOf(port, trackMany, { events: events.slice(0, 3) });

    expect(results).toMatchObject([
      { outcome: Outcome.ACCEPTED },
      { outcome: Outcome.REJECTED, rejection: { reason: "STORAGE_FULL", field: "", retryable: true } },
      { outcome: Outcome.UNKNOWN },
    ]);
  });
});

describe("GetLimits", () => {
  it("tells every cap, and what is left", async () => {
    const { port } = await startServer({
      settings: {
        ...settings,
        environments: ["production", "staging"],
        identityKinds: ["user"],
        eventsMax: 1000,
        retentionMs: 30 * 86_400_000,
        indexedProperties: ["status", "path"],
      },
    });
    await answerOf(port, track, { event: events[0] });

    expect(await answerOf(port, getLimits, {})).toMatchObject({
      quotas: [
        { limit: 2n, per: { seconds: 60n }, remaining: 1n, resetAfter: { seconds: 30n } },
        { limit: 10n, per: { seconds: 86_400n }, remaining: 9n, resetAfter: { seconds: 8640n } },
      ],
      dedupeWindow: { seconds: 7n * 86_400n },
      eventsMax: 1000n,
      eventCount: 1n,
      environments: ["production", "staging"],
      identityKinds: ["user"],
      retention: { seconds: 30n * 86_400n },
      indexedProperties: ["status", "path"],
      callLimits: {
        trackMessageBytes: 1_048_576n,
        batchMessageBytes: 4_194_304n,
        messageEvents: 500n,
        pageSizeMax: 1000n,
        pageBytes: 3_145_728n,
        eventBytes: 800_000n,
        propertyCount: 300n,
        propertyBytes: 16_384n,
        propertyDepth: 16n,
        identityCount: 16n,
        throttleWait: { seconds: 30n },
        atomicBytes: 1_048_576n,
        atomicTerms: 5000n,
        idLength: 128n,
        nameLength: 256n,
        identityKindLength: 64n,
        identityLength: 256n,
        environmentLength: 64n,
        propertyNameLength: 256n,
        timeAhead: { seconds: 86_400n },
        filterNames: 100n,
        pageSizeDefault: 20n,
        filterValues: 100n,
        filterProperties: 16n,
        filterPropertyLength: 1024n,
        tailHeartbeat: { seconds: 15n },
      },
    });
  });

  it("tells what is not limited", async () => {
    const { port } = await startServer();

    const limits = await answerOf(port, getLimits, {});

    expect(limits.retention).toBeUndefined();
    expect(limits).toMatchObject({
      quotas: [],
      eventsMax: 0n,
      eventCount: 0n,
      environments: [],
      identityKinds: [],
      indexedProperties: [],
    });
  });

  it("tells only of the environments that the key is bound to", async () => {
    const { port } = await startServer({ settings: { environments: ["production", "staging"] } });

    expect(await answerOf(port, getLimits, {}, lesserKeys.production)).toMatchObject({ environments: ["production"] });
  });
});

describe("ListRejectedEvents", () => {
  it("tells what was rejected, and why", async () => {
    const event: RejectedEvent = {
      rejectedAtMs: 1_700_000_000_005,
      entrance: "connect",
      id: "a",
      environments: ["production"],
      reason: "EVENT_INVALID",
      violation: { field: "name", message: "is required" },
      payload: `{"id":"a"}`,
    };
    const { port } = await startServer({ rejected: { events: [event], nextPageToken: "next", omittedCount: 7 } });

    expect(await answerOf(port, listRejectedEvents, {})).toMatchObject({
      events: [
        {
          rejectTime: { seconds: 1_700_000_000n, nanos: 5_000_000 },
          entrance: "connect",
          id: "a",
          rejection: { reason: "EVENT_INVALID", field: "name", message: "is required", retryable: false },
          payload: `{"id":"a"}`,
        },
      ],
      nextPageToken: "next",
      omittedCount: 7n,
    });
  });
});

describe("a key", () => {
  const stores = ["track", "trackMany", "trackBatch"];
  const lists = ["listEvents", "getEvent", "tailEvents", "listRejectedEvents"];

  it.each([
    ["tracks", lesserKeys.track, [...stores, "getLimits"]],
    ["lists", lesserKeys.list, [...lists, "getLimits"]],
    ["may do both", testKey, [...stores, ...lists, "getLimits"]],
    ["may do nothing", lesserKeys.nothing, []],
  ])("that %s opens just the methods that it is for", async (_, key, opened) => {
    const handlers = fakeEventHandlers();
    handlers.tail = emptyTail;
    const { port, records } = await startServer({ handlers });

    for (const { name, localName } of EventService.methods) {
      const { code } = await call(port, name, frame(new Uint8Array()), { authorization: `Bearer ${key}` });
      expect([localName, code]).toEqual([localName, opened.includes(localName) ? status.OK : status.PERMISSION_DENIED]);
    }
    expect(handlers.calls.map(({ method }) => method).sort()).toEqual(opened.toSorted());
    expect(records.every((record) => record.project !== undefined && record.key !== undefined)).toBe(true);
  });

  it("has its environments, and the time that is left, told to the handlers", async () => {
    const handlers = fakeEventHandlers();
    const { port } = await startServer({ handlers });
    const headers = { authorization: `Bearer ${lesserKeys.production}` };

    await call(port, "Track", frame(new Uint8Array()), headers);
    await call(port, "Track", frame(new Uint8Array()), { ...headers, "grpc-timeout": "20S" });

    const [first, second] = handlers.calls.map(({ caller }) => caller);
    expect(first).toMatchObject({ environments: ["production"] });
    expect(first?.remainingMs()).toBe(Number.POSITIVE_INFINITY);
    expect(second?.remainingMs()).toBeGreaterThan(10_000);
    expect(second?.remainingMs()).toBeLessThanOrEqual(20_000);
  });
});
