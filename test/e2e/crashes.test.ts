import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { Outcome } from "../../gen/sluice/v1/event_service_pb.ts";
import { GrpcEventClient, readErrorDetails } from "../support/grpc-event-client.ts";
import { useSluice } from "../support/sluice-process.ts";
import { waitUntil } from "../support/wait-until.ts";

const sluice = useSluice();
const silenced = useSluice();

async function listAllIds(client: GrpcEventClient): Promise<string[]> {
  const ids: string[] = [];
  for (let pageToken = ""; ; ) {
    const page = await client.listEvents({ pageSize: 1000, pageToken, order: 2 });
    ids.push(...page.events.map((event) => event.id));
    if (page.nextPageToken === "") return ids;
    pageToken = page.nextPageToken;
  }
}

describe("a Redis that is killed again and again", () => {
  it("loses nothing that was acknowledged, and stores nothing twice", async () => {
    await sluice.start();
    const client = new GrpcEventClient(sluice.grpcAddress, sluice.key);
    const acked = new Set<string>();
    const offered = new Set<string>();
    let isOver = false;

    async function write(writer: number): Promise<void> {
      for (let n = 0; !isOver; n++) {
        const events = Array.from({ length: 10 }, (_, i) => ({ id: `${writer}/${n}/${i}`, name: "n" }));
        for (const { id } of events) offered.add(id);
        const results = await client.trackMany({ events }).then(
          (response) => response.results,
          (error) => {
            expect(readErrorDetails(error).reason).toMatch(/^(STORAGE_UNAVAILABLE|OUTCOME_UNKNOWN)$/);
            return [];
          },
        );
        for (const { outcome, id } of results) if (outcome === Outcome.ACCEPTED) acked.add(id);
      }
    }

    const writers = Promise.all(Array.from({ length: 8 }, (_, i) => write(i)));
    for (let kill = 0; kill < 5; kill++) {
      const pid = sluice.redisPid;
      process.kill(pid, "SIGKILL");
      await waitUntil(() => sluice.redisPid !== pid);
      const ackedBefore = acked.size;
      await waitUntil(() => acked.size > ackedBefore + 100);
    }
    isOver = true;
    await writers;

    const stored = await listAllIds(client);
    client.close();
    const storedSet = new Set(stored);
    expect(stored).toHaveLength(storedSet.size);
    expect([...acked].filter((id) => !storedSet.has(id))).toEqual([]);
    expect(stored.filter((id) => !offered.has(id))).toEqual([]);
    expect(acked.size).toBeGreaterThan(500);
  });
});

describe("a Redis that is silent while the server shuts down", () => {
  it("leaves no call without its outcome", async () => {
    await silenced.start();
    const client = new GrpcEventClient(silenced.grpcAddress, silenced.key);
    const { redisPid } = silenced;
    process.kill(redisPid, "SIGSTOP");

    const stream = client.openTrackBatch();
    stream.call.write({ events: [{ id: "a", name: "n" }] });
    const errorOf = (response: Promise<unknown>) =>
      response.then(
        () => {},
        (error: unknown) => error,
      );
    const calls = [stream.response, client.track({ event: { id: "b", name: "n" } })].map(errorOf);
    await waitUntil(() => silenced.log.includes("connection to Redis lost"));
    const ended = silenced.end("SIGTERM");
    const errors = await Promise.all(calls);
    process.kill(redisPid, "SIGCONT");
    client.close();

    const [batch, single] = errors.map(readErrorDetails);
    for (const error of errors) expect(error).toMatchObject({ code: status.UNAVAILABLE });
    expect(batch?.summary).toMatchObject({ acceptedCount: 0n, nextIndex: 0n });
    expect([batch?.reason, single?.reason]).toContain("OUTCOME_UNKNOWN");
    expect(single?.reason).toBeDefined();
    expect(await ended).toBe(0);
  });
});
