import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import type { TailEventsRequestSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import { EventService } from "../../gen/sluice/v1/event_service_pb.ts";
import { lesserKeys, testKey } from "../support/test-keys.ts";
import { useGrpcServers } from "../support/use-grpc-server.ts";
import { waitUntil } from "../support/wait-until.ts";

const startServer = useGrpcServers();

/** A server over the real handlers, and what calls it. */
async function setUp() {
  const server = await startServer();
  const client = createClient(EventService, createGrpcTransport({ baseUrl: `http://127.0.0.1:${server.port}` }));
  const options = (key: string) => ({ headers: { authorization: `Bearer ${key}` } });
  return {
    ...server,
    async track(id: string, environment = "") {
      const { cursor } = await client.track({ event: { id, name: "click", environment } }, options(testKey));
      return cursor;
    },
    tail(request: MessageInitShape<typeof TailEventsRequestSchema> = {}, key: string = testKey) {
      const answers = client.tailEvents(request, options(key))[Symbol.asyncIterator]();
      return {
        async next() {
          const { value, done } = await answers.next();
          if (done === true) expect.unreachable("the tail goes on");
          return { ids: value.events.map(({ id }) => id), cursor: value.cursor };
        },
      };
    },
  };
}

describe("a tail of what is stored", () => {
  it("has what is stored from now on, and goes on where one before it ended", async () => {
    const { track, tail, log } = await setUp();
    await track("before");

    const first = tail();
    expect(await first.next()).toMatchObject({ ids: [] });
    const next = first.next();
    await waitUntil(() => log.waiting() === 1);
    await track("a");
    const { ids, cursor } = await next;
    expect(ids).toEqual(["a"]);

    await track("b");
    const second = tail({ afterCursor: cursor });
    expect(await second.next()).toEqual({ ids: [], cursor });
    expect(await second.next()).toMatchObject({ ids: ["b"] });
  });

  it("has only what its filter and its key let through", async () => {
    const { track, tail } = await setUp();
    const cursor = await track("first");
    for (const environment of ["production", "staging", ""]) await track(`in ${environment}`, environment);

    const filtered = tail({ afterCursor: cursor, filter: { environment: "staging" } });
    const bound = tail({ afterCursor: cursor }, lesserKeys.production);
    await filtered.next();
    await bound.next();

    expect(await filtered.next()).toMatchObject({ ids: ["in staging"] });
    expect(await bound.next()).toMatchObject({ ids: ["in production"] });
    await expect(tail({ filter: { environment: "staging" } }, lesserKeys.production).next()).rejects.toMatchObject({
      code: Code.PermissionDenied,
    });
  });

  it("ends at a shutdown, and does not hold up the close", async () => {
    const { tail, shutDown, close, log, records } = await setUp();
    const waiting = tail();
    await waiting.next();
    const next = waiting.next();
    next.catch(() => {});
    await waitUntil(() => log.waiting() === 1);

    shutDown();
    await close(60_000);

    await expect(next).rejects.toMatchObject({ code: Code.Unavailable });
    expect(log.waiting()).toBe(0);
    expect(records).toMatchObject([{ method: "TailEvents", code: "UNAVAILABLE", reason: "SHUTTING_DOWN" }]);
  });
});
