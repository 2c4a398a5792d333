import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import type { TailEventsResponse } from "../../gen/sluice/v1/event_service_pb.ts";
import { EventService } from "../../gen/sluice/v1/event_service_pb.ts";
import { toCursor } from "../../src/domain/cursor.ts";
import { SluiceError } from "../../src/domain/errors.ts";
import type { Caller } from "../../src/domain/project.ts";
import type { TailBatch } from "../../src/domain/tail-events.ts";
import { encodeEvent } from "../support/events.ts";
import { storedEvent } from "../support/fake-event-handlers.ts";
import { envelope } from "../support/raw-call.ts";
import type { TailEntry, TailPort } from "../support/tail-entries.ts";
import { openUnreadTail, useTailEntries } from "../support/tail-entries.ts";
import { testKey } from "../support/test-keys.ts";
import { waitUntil } from "../support/wait-until.ts";

const entries = useTailEntries();

const headers = { authorization: `Bearer ${testKey}` };
const { position } = storedEvent;
const heartbeat = (seq: number): TailBatch => ({ events: [], reached: { ...position, seq } });
const found: TailBatch = { events: [storedEvent], reached: position };
const forEver = new Promise<never>(() => {});

/** Opens a tail that can be read one answer at a time. */
function openTail(entry: TailEntry, port: number, more: Record<string, string> = {}) {
  const aborter = new AbortController();
  const client = createClient(EventService, entry.connect(port));
  const answers = client.tailEvents({ afterCursor: "c" }, { headers: { ...headers, ...more }, signal: aborter.signal });
  const iterator = answers[Symbol.asyncIterator]();
  return {
    async next(): Promise<TailEventsResponse> {
      const { value, done } = await iterator.next();
      return done === true ? expect.unreachable("the tail goes on") : value;
    },
    async failure(): Promise<{ code: Code; reason: string | undefined; message: string }> {
      const thrown = await iterator.next().then(
        () => expect.unreachable("the tail has failed"),
        (error: unknown) => error,
      );
      const error = ConnectError.from(thrown);
      const [info] = error.findDetails(ErrorInfoSchema);
      return { code: error.code, reason: info?.reason, message: error.rawMessage };
    },
    abort: () => aborter.abort(),
  };
}

/** Makes tails of an endless supply of large events, and tells how many answers were asked for, and when one is over. */
function supplyEndlessly({ handlers }: TailPort) {
  const large = { ...storedEvent, bytes: encodeEvent({ name: "large", properties: { text: "x".repeat(256 * 1024) } }) };
  const supply = { asked: 0, returned: 0 };
  handlers.tail = async function* () {
    try {
      // Far more than the sockets of both sides hold; but a server that does not stop must not take the test along.
      while (supply.asked < 400) {
        supply.asked++;
        yield { events: [large], reached: position };
      }
      await forEver;
    } finally {
      supply.returned++;
    }
  };
  return supply;
}

describe.each(entries)("a tail, $name", (entry) => {
  it("has each answer as soon as it is there, those without events too, until its caller leaves", async () => {
    const { port, handlers, records } = await entry.start();
    let caller: Caller | undefined;
    let release = () => {};
    handlers.tail = async function* (who) {
      caller = who;
      yield heartbeat(1);
      yield found;
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      yield heartbeat(2);
      await forEver;
    };

    const tail = openTail(entry, port);

    expect(await tail.next()).toMatchObject({ events: [], cursor: toCursor(heartbeat(1).reached) });
    expect(await tail.next()).toMatchObject({
      events: [{ name: "one", id: "assigned", entrance: "grpc", cursor: toCursor(position) }],
      cursor: toCursor(position),
    });
    release();
    expect(await tail.next()).toMatchObject({ events: [], cursor: toCursor(heartbeat(2).reached) });
    expect(records).toEqual([]);
    expect(handlers.calls).toMatchObject([{ method: "tailEvents", request: { afterCursor: "c" } }]);

    tail.abort();
    await waitUntil(() => caller?.signal.aborted);
    await waitUntil(() => records.length > 0);
    expect(records).toMatchObject([{ method: "TailEvents", code: "CANCELLED", reason: "CALL_ENDED", key: "all" }]);
  });

  it("comes in large answers, compressed where its caller takes that", async () => {
    const { port, handlers } = await entry.start();
    const event = { ...storedEvent, bytes: encodeEvent({ name: "one", properties: { text: "x".repeat(100_000) } }) };
    handlers.tail = async function* () {
      for (let i = 0; i < 20; i++) yield { events: [event, event], reached: { ...position, seq: i } };
      throw new SluiceError("SHUTTING_DOWN", "bye");
    };

    const tail = openTail(entry, port);

    for (let i = 0; i < 20; i++) {
      const { events, cursor } = await tail.next();
      expect(events.map(({ properties }) => properties?.text?.toString().length)).toEqual([100_000, 100_000]);
      expect(cursor).toBe(toCursor({ ...position, seq: i }));
    }
    expect(await tail.failure()).toMatchObject({ code: Code.Unavailable, reason: "SHUTTING_DOWN" });
  });

  it.each([
    ["SHUTTING_DOWN", Code.Unavailable, "UNAVAILABLE"],
    ["KEY_INVALID", Code.Unauthenticated, "UNAUTHENTICATED"],
    ["CURSOR_EXPIRED", Code.OutOfRange, "OUT_OF_RANGE"],
  ] as const)("ends with %s when its handler does, behind the answers before", async (reason, code, codeName) => {
    const { port, handlers, records } = await entry.start();
    handlers.tail = async function* () {
      yield found;
      throw new SluiceError(reason, "the text");
    };

    const tail = openTail(entry, port);

    await tail.next();
    expect(await tail.failure()).toEqual({ code, reason, message: "the text" });
    await waitUntil(() => records.length > 0);
    expect(records).toMatchObject([{ method: "TailEvents", code: codeName, reason }]);
  });

  it("ends at its deadline", async () => {
    const { port, records } = await entry.start();
    const tail = openTail(entry, port, { "grpc-timeout": "100m", "connect-timeout-ms": "100" });

    await tail.next();

    expect(await tail.failure()).toMatchObject({ code: Code.DeadlineExceeded, reason: "DEADLINE_EXCEEDED" });
    await waitUntil(() => records.length > 0);
    expect(records).toMatchObject([{ code: "DEADLINE_EXCEEDED", reason: "DEADLINE_EXCEEDED" }]);
  });

  it("is refused where there are too many, until one of them is over", async () => {
    const { port, handlers, records } = await entry.start({ tails: 2 });
    const tails = [openTail(entry, port), openTail(entry, port)];
    for (const tail of tails) await tail.next();

    expect(await openTail(entry, port).failure()).toMatchObject({ code: Code.Unavailable, reason: "OVERLOADED" });
    await createClient(EventService, entry.connect(port)).getLimits({}, { headers });

    tails[0]?.abort();
    await waitUntil(() => records.some(({ code }) => code === "CANCELLED"));
    handlers.tail = async function* () {
      yield found;
      throw new SluiceError("SHUTTING_DOWN", "bye");
    };
    // One that its handler ends makes room as well.
    for (let i = 0; i < 3; i++) {
      const tail = openTail(entry, port);
      await tail.next();
      await tail.failure();
    }
    tails[1]?.abort();
  });

  it("asks its handler for little more than its caller takes, and is cut when that takes nothing", async () => {
    const server = await entry.start({ stallMs: 100 });
    const supply = supplyEndlessly(server);

    const leave = openUnreadTail(server.port, entry);

    await waitUntil(() => supply.returned > 0);
    // Over HTTP/1.1, the sockets hold some megabytes.
    expect(supply.asked).toBeLessThan(entry.isHttp1 ? 100 : 10);
    leave();
  });

  it("ends for its handler when its caller leaves in the middle of an answer", async () => {
    const server = await entry.start();
    const supply = supplyEndlessly(server);

    const leave = openUnreadTail(server.port, entry);
    await waitUntil(() => supply.asked > 0);
    leave();

    await waitUntil(() => supply.returned > 0);
    await waitUntil(() => server.records.length > 0);
    expect(server.records).toMatchObject([{ code: "CANCELLED", reason: "CALL_ENDED" }]);
  });

  it("may be silent for longer than a caller may take nothing", async () => {
    const server = await entry.start({ stallMs: 100 });
    let release = () => {};
    server.handlers.tail = async function* () {
      yield heartbeat(1);
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      yield found;
      await forEver;
    };
    const tail = openTail(entry, server.port);
    await tail.next();
    const supply = supplyEndlessly(server);
    const leave = openUnreadTail(server.port, entry);

    await waitUntil(() => supply.returned > 0);
    release();

    expect(await tail.next()).toMatchObject({ events: [{ name: "one" }] });
    leave();
    tail.abort();
  });

  it("does not hold up a close", async () => {
    const server = await entry.start();
    const shutdown = Promise.withResolvers<never>();
    server.handlers.tail = async function* () {
      yield found;
      await shutdown.promise;
    };
    const tail = openTail(entry, server.port);
    await tail.next();

    shutdown.reject(new SluiceError("SHUTTING_DOWN", "bye"));
    const failure = tail.failure();
    await server.close(60_000);

    expect(await failure).toMatchObject({ reason: "SHUTTING_DOWN" });
  });
});

describe.each(entries.filter(({ isJson }) => isJson))("a tail, $name", (entry) => {
  it("is refused with a filter that is not known", async () => {
    const { port, handlers } = await entry.start();

    const response = await fetch(`http://127.0.0.1:${port}/sluice.v1.EventService/TailEvents`, {
      method: "POST",
      headers: { ...headers, "content-type": entry.contentType },
      body: Buffer.from(envelope(Buffer.from(`{"filter":{"nmaes":["a"]}}`))),
    });

    expect(await response.text()).toContain("invalid_argument");
    expect(handlers.calls).toEqual([]);
  });
});

describe.each(entries.filter(({ isHttp1 }) => !isHttp1))("a thousand tails over four connections, $name", (entry) => {
  it("all have what is there for them", async () => {
    const { port, handlers, records } = await entry.start();
    const arrived = Promise.withResolvers<void>();
    handlers.tail = async function* () {
      yield heartbeat(1);
      await arrived.promise;
      yield found;
      throw new SluiceError("SHUTTING_DOWN", "bye");
    };
    const tails = Array.from({ length: 4 }, () => {
      const transport = entry.connect(port);
      const shared = { ...entry, connect: () => transport };
      return Array.from({ length: 250 }, () => openTail(shared, port));
    }).flat();

    await Promise.all(tails.map(({ next }) => next()));
    arrived.resolve();
    const answers = await Promise.all(tails.map(({ next }) => next()));
    await Promise.all(tails.map(({ failure }) => failure()));

    expect(answers.every(({ events }) => events[0]?.name === "one")).toBe(true);
    await waitUntil(() => records.length === tails.length);
  });
});
