import { fromBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { TrackBatchResponseSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import { encodeEvent } from "../support/events.ts";
import { call, frame, openCall } from "../support/raw-grpc.ts";
import { useGrpcServers } from "../support/use-grpc-server.ts";
import { waitUntil } from "../support/wait-until.ts";
import { field, join } from "../support/wire-fields.ts";

const startServer = useGrpcServers();

let count = 0;
/** A frame with so many new events. */
const events = (number: number) =>
  frame(join(...Array.from({ length: number }, () => field(1, encodeEvent({ id: `e${++count}`, name: "click" })))));

describe("TrackBatch", () => {
  it("stores the events of all messages, and counts them", async () => {
    const { port, log, project, records } = await startServer();

    const { code, response } = await call(port, "TrackBatch", join(events(2), events(500), events(1)));

    expect(code).toBe(status.OK);
    expect(fromBinary(TrackBatchResponseSchema, response)).toMatchObject({ acceptedCount: 503n, nextIndex: 503n });
    expect(log.stored(project)).toHaveLength(503);
    await waitUntil(() => records.length > 0);
    expect(records).toMatchObject([{ method: "TrackBatch", code: "OK" }]);
  });

  it("answers a stream without messages", async () => {
    const { port } = await startServer();

    const { response } = await call(port, "TrackBatch", new Uint8Array());

    expect(fromBinary(TrackBatchResponseSchema, response)).toMatchObject({ nextIndex: 0n });
  });

  it("costs a bad event alone", async () => {
    const { port } = await startServer();
    const poison = frame(join(field(1, Uint8Array.of(0x14, 1, 0x61)), field(1, "garbage")));

    const { response } = await call(port, "TrackBatch", join(events(1), poison, events(1)));

    expect(fromBinary(TrackBatchResponseSchema, response)).toMatchObject({
      acceptedCount: 2n,
      rejectedCount: 2n,
      nextIndex: 4n,
      failures: [{ rejection: { reason: "MALFORMED" } }, { rejection: { reason: "MALFORMED" } }],
    });
  });

  const { INVALID_ARGUMENT, RESOURCE_EXHAUSTED } = status;
  it.each<[what: string, bytes: Uint8Array, headers: Record<string, string>, code: number, reason: string]>([
    ["malformed", frame(Buffer.from("garbage")), {}, INVALID_ARGUMENT, "MALFORMED"],
    ["without events", frame(new Uint8Array()), {}, INVALID_ARGUMENT, "MALFORMED"],
    ["of 501 events", events(501), {}, RESOURCE_EXHAUSTED, "TOO_LARGE"],
    ["of 4 MiB and a byte", frame(new Uint8Array((4 << 20) + 1)), {}, RESOURCE_EXHAUSTED, "TOO_LARGE"],
    ["that is not gzip", frame(Buffer.from("x"), true), { "grpc-encoding": "gzip" }, INVALID_ARGUMENT, "MALFORMED"],
  ])("is cut by a message %s, and tells what had become of the stream", async (_what, bytes, headers, code, reason) => {
    const { port, log, project, records } = await startServer();
    const { stream, end } = openCall(port, "TrackBatch", headers);
    stream.write(events(2));
    await waitUntil(() => log.stored(project).length === 2);
    stream.write(bytes);

    expect(await end).toMatchObject({
      code,
      details: { reason, domain: "sluice", batch: { acceptedCount: 2n, nextIndex: 2n } },
    });
    expect(records).toMatchObject([{ method: "TrackBatch", code: status[code], reason }]);
  });

  it.each([3, 8])("is cut when its request ends %i bytes into a message", async (length) => {
    const { port, records } = await startServer();

    expect(await call(port, "TrackBatch", join(events(2), events(1).subarray(0, length)))).toMatchObject({
      code: INVALID_ARGUMENT,
      details: { reason: "MALFORMED", batch: { acceptedCount: 2n, nextIndex: 2n } },
    });
    expect(records).toMatchObject([{ method: "TrackBatch", code: "INVALID_ARGUMENT", reason: "MALFORMED" }]);
  });

  it("is cut by storage, though its sender is silent", async () => {
    const { port, log } = await startServer();
    log.failWhen(() => "STORAGE_UNAVAILABLE");
    const { stream, end } = openCall(port, "TrackBatch");
    stream.write(events(2));

    expect(await end).toMatchObject({
      code: status.UNAVAILABLE,
      details: { reason: "STORAGE_UNAVAILABLE", hasRetryDelay: true, batch: { nextIndex: 0n } },
    });
  });

  it("is cut when its sender stalls, between messages or within one", async () => {
    const { port } = await startServer({ streamIdleMs: 20 });
    const between = openCall(port, "TrackBatch");
    between.stream.write(events(1));
    const within = openCall(port, "TrackBatch");
    within.stream.write(join(events(1), events(1).subarray(0, 8)));

    for (const { end } of [between, within]) {
      expect(await end).toMatchObject({
        code: status.DEADLINE_EXCEEDED,
        details: { reason: "STREAM_IDLE", batch: { nextIndex: 1n } },
      });
    }
  });

  it("is cut by a shutdown", async () => {
    const { port, log, project, shutDown } = await startServer();
    const { stream, end } = openCall(port, "TrackBatch");
    stream.write(events(1));
    await waitUntil(() => log.stored(project).length === 1);
    shutDown();

    expect(await end).toMatchObject({
      code: status.UNAVAILABLE,
      details: { reason: "SHUTTING_DOWN", hasRetryDelay: true, batch: { nextIndex: 1n } },
    });
  });

  it.each(["the call", "the connection"])("keeps what was stored before its sender cut %s", async (what) => {
    const { port, log, project, records } = await startServer();
    const { stream, session } = openCall(port, "TrackBatch");
    stream.write(events(3));
    await waitUntil(() => log.stored(project).length === 3);
    log.hold();
    stream.write(join(events(1), events(1).subarray(0, 8)));
    await waitUntil(() => log.appends.length === 2);
    if (what === "the call") stream.close(8);
    else session.destroy();
    await waitUntil(() => log.appends[1]?.options.signal?.aborted);
    log.release();

    await waitUntil(() => records.length > 0);
    expect(records).toMatchObject([{ method: "TrackBatch", code: "CANCELLED", reason: "CALL_ENDED" }]);
    expect(log.stored(project)).toHaveLength(3);
  });

  it("ends at its deadline", async () => {
    const { port } = await startServer();
    const { stream, end } = openCall(port, "TrackBatch", { "grpc-timeout": "50m" });
    stream.write(events(1));

    expect(await end).toMatchObject({ code: status.DEADLINE_EXCEEDED });
  });

  it("holds its sender back while storage is busy", async () => {
    const { port, log } = await startServer();
    log.hold();
    const { stream, end } = openCall(port, "TrackBatch");
    const filled = Array.from({ length: 400 }, () => field(1, encodeEvent({ name: "n".repeat(250) })));
    const message = frame(join(...filled));
    let written = 0;
    const write = () => {
      for (let goesOn = true; goesOn && written < 100; written++) goesOn = stream.write(message);
      if (written === 100) stream.end();
    };
    stream.on("drain", write);
    write();

    await waitUntil(() => log.appends.length === 3);
    // Ten megabytes want to be sent: what is not read waits with the sender, but for the windows on the way.
    await new Promise((resolve) => stream.session?.ping(() => setImmediate(resolve)));
    expect(log.appends).toHaveLength(3);
    expect(written).toBeLessThan(30);
    log.release();

    expect(fromBinary(TrackBatchResponseSchema, (await end).response)).toMatchObject({ acceptedCount: 40_000n });
  });
});
