import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { Socket } from "node:net";
import { SplitFactory } from "@splitsoftware/splitio";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { digestKey } from "../../src/domain/access.ts";
import { contentOf, listAllEvents } from "../support/listed-events.ts";
import { startSplitSdkStub } from "../support/split-sdk-stub.ts";
import { useConfiguredSluice } from "../support/use-configured-sluice.ts";
import { waitUntil } from "../support/wait-until.ts";

// The SDK has one key for flags and events: Sluice is given the digest of Split's.
const splitKey = "a-server-side-key-of-split";
const sluice = useConfiguredSluice(`
projects:
  shop:
    keys:
      - { name: split-sdk, secret: "sha256:${digestKey(splitKey)}", permissions: [track, list] }
`);
const addresses = new Set<string | undefined>();

/** Notes whom this process connects to. */
function noteSocket(message: unknown): void {
  if (typeof message !== "object" || message === null || !("socket" in message)) return;
  const { socket } = message;
  if (socket instanceof Socket)
    socket.once("lookup", noteLookup).once("connect", () => addresses.add(socket.remoteAddress));
}
const noteLookup = (_error: unknown, address: string) => void addresses.add(address);

beforeAll(() => subscribe("net.client.socket", noteSocket));
afterAll(() => unsubscribe("net.client.socket", noteSocket));

const propertiesOf = (i: number) => ({
  page: `/p/${i}?ü=✓`,
  step: i % 7,
  ratio: i / 3,
  isNew: i % 2 === 0,
  coupon: null,
});

describe("the Node SDK of Split", () => {
  it("has each of 1,000 track calls stored once, also those that only destroy flushes", async () => {
    await using stub = await startSplitSdkStub(splitKey);
    const factory = SplitFactory({
      core: { authorizationKey: splitKey },
      startup: { readyTimeout: 10 },
      // Pushes when the queue is full, and not again within this test.
      scheduler: { eventsQueueSize: 600, eventsPushRate: 3600, impressionsRefreshRate: 3600 },
      urls: { sdk: stub.url, events: `http://${sluice.httpAddress}/api`, auth: stub.url, telemetry: stub.url },
      streamingEnabled: false,
      debug: "ERROR",
    });
    const client = factory.client();
    await client.whenReady();
    const stored = () => listAllEvents(`http://${sluice.httpAddress}`, splitKey);
    // A value and properties are both optional.
    const track = (i: number) =>
      client.track(
        `customer-${i}`,
        "user",
        `page.view_${i % 5}`,
        i % 4 === 0 ? undefined : i / 8,
        i % 3 === 0 ? undefined : propertiesOf(i),
      );
    const startMs = Date.now();

    const queued = Array.from({ length: 600 }, (_, i) => track(i));
    await waitUntil(async () => (await stored()).length === 600);
    queued.push(...Array.from({ length: 400 }, (_, i) => track(600 + i)));
    const endMs = Date.now();
    const before = await stored();
    await client.destroy();

    expect(new Set(queued)).toEqual(new Set([true]));
    expect(before).toHaveLength(600);
    const events = await stored();
    expect(events.map((event) => ({ ...contentOf(event), time: event.time }))).toEqual(
      Array.from({ length: 1000 }, (_, i) => ({
        name: `page.view_${i % 5}`,
        identities: { user: `customer-${i}` },
        time: expect.any(String),
        ...(i % 4 === 0 ? {} : { value: i / 8 }),
        ...(i % 3 === 0 ? {} : { properties: propertiesOf(i) }),
      })),
    );
    for (const { time, entrance } of events) {
      expect(Date.parse(time)).toBeGreaterThanOrEqual(startMs);
      expect(Date.parse(time)).toBeLessThanOrEqual(endMs);
      expect(entrance).toBe("split");
    }
    expect(stub.requests.filter((request) => /impressions|auth/i.test(request))).toEqual([]);
    expect(addresses).toEqual(new Set(["127.0.0.1"]));
  });
});
