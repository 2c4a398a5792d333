import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { encodeEvent } from "../support/events.ts";
import { call, frame, openCall } from "../support/raw-grpc.ts";
import { useGrpcServers } from "../support/use-grpc-server.ts";
import { waitUntil } from "../support/wait-until.ts";
import { field } from "../support/wire-fields.ts";

const startServer = useGrpcServers();
const click = frame(field(1, encodeEvent({ id: "a", name: "click" })));

describe("a stream whose caller does not end the request", () => {
  const { UNAUTHENTICATED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNIMPLEMENTED } = status;

  it.each<[what: string, method: string, bytes: Uint8Array, headers: Record<string, string | undefined>, code: number]>(
    [
      ["a call without a key", "Track", new Uint8Array(), { authorization: undefined }, UNAUTHENTICATED],
      ["a call whose message does not come", "Track", new Uint8Array(), {}, DEADLINE_EXCEEDED],
      ["a silent stream", "TrackBatch", click, {}, DEADLINE_EXCEEDED],
      ["a stream with too large a message", "TrackBatch", Uint8Array.of(0, 255, 255, 255, 255), {}, RESOURCE_EXHAUSTED],
      ["a call past its deadline", "TrackBatch", click, { "grpc-timeout": "1m" }, DEADLINE_EXCEEDED],
      ["a call of an unknown method", "Untrack", click, {}, UNIMPLEMENTED],
    ],
  )("is closed after the status: %s", async (_, method, bytes, headers, code) => {
    const { port } = await startServer({ limits: { messageTimeoutMs: 20 }, streamIdleMs: 20 });
    const { stream, end, closed } = openCall(port, method, headers);
    if (bytes.length > 0) stream.write(bytes);

    expect(await end).toMatchObject({ code });
    expect(await closed).toBe(0);
  });

  it("is closed after a refusal of its content type", async () => {
    const { port } = await startServer();
    const { end, closed } = openCall(port, "Track", { "content-type": "application/json" });

    expect(await end).toMatchObject({ httpStatus: 415 });
    expect(await closed).toBe(0);
  });
});

describe("a deadline", () => {
  it.each(["600H", "3000000S", "99999999H", "99999999m"])("may be as far off as it likes: %s", async (timeout) => {
    const { port, log } = await startServer();
    log.hold();
    const far = call(port, "Track", click, { "grpc-timeout": timeout });
    await waitUntil(() => log.appends.length === 1);
    await call(port, "Track", click, { "grpc-timeout": "10m" });
    log.release();

    expect(await far).toMatchObject({ code: status.OK });
  });

  it.each(["-1S", "1", "S", "1S, 2S", "1 S", "1.5S", "123456789S", "0x1S", "1s"])(
    "that is malformed is refused: %s",
    async (timeout) => {
      const { port, log, project } = await startServer();

      expect(await call(port, "Track", click, { "grpc-timeout": timeout })).toMatchObject({
        code: status.INVALID_ARGUMENT,
        message: "the deadline is malformed",
        details: { reason: "MALFORMED" },
      });
      expect(log.stored(project)).toEqual([]);
    },
  );

  it.each(["0S", "1n", "1m"])("that passes is DEADLINE_EXCEEDED: %s", async (timeout) => {
    const { port, log, records } = await startServer();
    log.hold();

    expect(await call(port, "Track", click, { "grpc-timeout": timeout })).toMatchObject({
      code: status.DEADLINE_EXCEEDED,
      details: { reason: "DEADLINE_EXCEEDED" },
    });
    expect(records).toMatchObject([{ code: "DEADLINE_EXCEEDED", reason: "DEADLINE_EXCEEDED" }]);
    log.release();
  });
});
