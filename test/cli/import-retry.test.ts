import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { createFakeEventService, storageUnavailable } from "./fake-event-service.ts";
import { eventLines, runImport } from "./import-harness.ts";

describe("importEvents, cut off", () => {
  it("gives an event without an id one, and sends it again with the same after a cut", async () => {
    const service = createFakeEventService({ cuts: [{ afterCount: 2, isAnswered: false, unknownCount: 0 }] });

    const run = await runImport({ client: service.client, input: '{"name":"a"}\n'.repeat(3) });

    expect(run.exitCode).toBe(0);
    expect(service.stored.size).toBe(3);
    expect(run.counts).toMatchObject({ accepted: 1, duplicate: 2 });
    expect(run.told.at(-1)).toMatch(/some duplicates may be events that this import had stored/);
  });

  it("goes on at next_index after a cut, not before the delay that the server asks for", async () => {
    const service = createFakeEventService({ cuts: [{ afterCount: 700, isAnswered: true, unknownCount: 0 }] });

    const run = await runImport({ client: service.client, input: eventLines(1000) });

    expect(run.exitCode).toBe(0);
    expect(service.streamCounts).toEqual([700, 300]);
    expect(run.counts).toMatchObject({ accepted: 1000, duplicate: 0 });
    expect(run.delaysMs).toEqual([1000]);
    expect(run.told).toEqual(["Redis is away (STORAGE_UNAVAILABLE); going on in 1.0 s"]);
  });

  it("goes on where a rate limit ended a stream, after the delay that the server asks for, however often", async () => {
    const throttle = { afterCount: 20, isAnswered: true, unknownCount: 0, throttledMs: 30_000 };
    const service = createFakeEventService({ cuts: Array(15).fill(throttle) });

    const run = await runImport({ client: service.client, input: eventLines(400) });

    expect(run).toMatchObject({ exitCode: 0, counts: { accepted: 400, duplicate: 0, unknown: 0 } });
    expect(run.delaysMs).toEqual(Array(15).fill(30_000));
    expect(run.told[0]).toBe("a rate limit of the project is used up; going on in 30.0 s");
  });

  it("waits longer from attempt to attempt, and gives up when ten brought no answer", async () => {
    const cut = { afterCount: 2, isAnswered: false, unknownCount: 0 };
    const service = createFakeEventService({ cuts: Array(11).fill(cut) });

    const run = await runImport({ client: service.client, input: `${eventLines(2)}{"name":"without id"}` });

    expect(run.delaysMs).toEqual([250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000, 15_000]);
    expect(run.exitCode).toBe(1);
    expect(run.counts).toMatchObject({ accepted: 0, duplicate: 0, unknown: 3 });
    expect(run.told.slice(-4)).toEqual([
      "gave up: the connection was lost (Aborted): is SLUICE_URL right?",
      "no line has an answer",
      "3 events from stdin:1 on were sent without an answer: they may or may not be stored",
      "1 of them have no id of their own: importing them again may store them twice",
    ]);
  });

  it("does not give up while streams bring answers", async () => {
    const cuts = Array.from({ length: 30 }, () => ({ afterCount: 1, isAnswered: true, unknownCount: 0 }));
    const service = createFakeEventService({ cuts });

    const run = await runImport({ client: service.client, input: eventLines(40) });

    expect(run).toMatchObject({ exitCode: 0, counts: { accepted: 40 } });
  });

  it.each([
    [
      "UNAUTHENTICATED",
      new ConnectError("this key opens no project", Code.Unauthenticated),
      /refuses the key: .*set SLUICE_KEY/,
    ],
    ["UNIMPLEMENTED", new ConnectError("HTTP 404", Code.Unimplemented), /does not answer as Sluice does \(HTTP 404\)/],
    ["STORAGE_FULL", full(), /no room \(STORAGE_FULL\)/],
    ["a refused connection", refusedConnection(), /cannot reach http:\/\/sluice.test \(ECONNREFUSED\): is the server/],
  ])("gives up at once on %s", async (_, failure, expected) => {
    const { client } = createFakeEventService();
    const failing = { ...client, trackBatch: () => Promise.reject(failure) };

    const run = await runImport({ client: failing, input: eventLines(3) });

    expect(run).toMatchObject({ exitCode: 1, delaysMs: [] });
    expect(run.told[0]).toMatch(expected);
  });

  it("says no more than that, when there is no server", async () => {
    const { client } = createFakeEventService();
    const failing = { ...client, trackBatch: () => Promise.reject(refusedConnection()) };

    const run = await runImport({ client: failing, input: eventLines(3) });

    expect(run.told).toHaveLength(1);
    expect(run.printed).toEqual([]);
  });

  it("waits for a server that was there before", async () => {
    let calls = 0;
    const service = createFakeEventService();
    const client = {
      ...service.client,
      trackBatch: (...args: Parameters<typeof service.client.trackBatch>) =>
        ++calls === 2 ? Promise.reject(refusedConnection()) : service.client.trackBatch(...args),
    };

    const run = await runImport({ client, input: eventLines(15_000) });

    expect(run).toMatchObject({ exitCode: 0, counts: { accepted: 15_000 }, delaysMs: [250] });
  });

  it("knows that an event of a call that was refused is not stored", async () => {
    let calls = 0;
    const service = createFakeEventService({ failure: () => (++calls > 1 ? storageUnavailable() : undefined) });

    const run = await runImport({ client: service.client, input: eventLines(10_001) });

    expect(run.counts).toMatchObject({ accepted: 10_000, unknown: 0 });
    expect(run.told.at(-1)).toBe("every line up to stdin:10000 has its answer; nothing else is stored");
  });
});

function full(): ConnectError {
  const value = { reason: "STORAGE_FULL", domain: "sluice" };
  return new ConnectError("no room", Code.ResourceExhausted, undefined, [{ desc: ErrorInfoSchema, value }]);
}

function refusedConnection(): ConnectError {
  const cause = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
  const error = new ConnectError("connect ECONNREFUSED", Code.Unavailable);
  error.cause = cause;
  return error;
}
