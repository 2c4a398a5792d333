import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { encodeEvent } from "../support/events.ts";
import { frame, openCall } from "../support/raw-grpc.ts";
import { useGrpcServers } from "../support/use-grpc-server.ts";
import { waitUntil } from "../support/wait-until.ts";
import { field, join } from "../support/wire-fields.ts";

const startServer = useGrpcServers();
const events = frame(join(...Array.from({ length: 100 }, () => field(1, encodeEvent({ name: "n".repeat(200) })))));
/** More than a frame of HTTP/2, and of no use after its head. */
const tooLarge = join(Uint8Array.of(0, 255, 255, 255, 255), new Uint8Array(40_000));

describe("a stream that was answered before all of it was read", () => {
  it.each<[what: string, method: string, headers: Record<string, string | undefined>, isEnded: boolean]>([
    ["its request has ended", "Track", {}, true],
    ["its request goes on", "Track", {}, false],
    ["without a key", "/grpc.health.v1.Health/Check", { authorization: undefined }, true],
  ])("is gone, and does not hold up a close: %s", async (_, method, headers, isEnded) => {
    const { port, close } = await startServer();
    const { stream, end, session } = openCall(port, method, headers);
    stream.write(tooLarge);
    if (isEnded) stream.end();
    expect(await end).toMatchObject({ code: status.RESOURCE_EXHAUSTED });

    // Longer than a test may take.
    await close(60_000);
    session.destroy();
  });

  it("is gone after a deadline while storage held it back", async () => {
    const { port, log, close } = await startServer();
    log.hold();
    const { stream, end } = openCall(port, "TrackBatch", { "grpc-timeout": "100m" });
    for (let i = 0; i < 20; i++) stream.write(events);
    stream.end();
    expect(await end).toMatchObject({ code: status.DEADLINE_EXCEEDED });
    log.release();

    // Longer than a test may take.
    await close(60_000);
  });

  it("is told of its reset without an error, though it is held back", async () => {
    const { port, log, records } = await startServer();
    log.hold();
    const { stream, session } = openCall(port, "TrackBatch");
    for (let i = 0; i < 20; i++) stream.write(events);
    await waitUntil(() => log.appends.length > 0);
    await new Promise((resolve) => session.ping(resolve));
    stream.close(0);
    await waitUntil(() => records.length === 1);
    log.release();

    expect(records).toMatchObject([{ reason: "CALL_ENDED" }]);
  });
});
