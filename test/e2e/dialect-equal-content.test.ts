import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { EventService } from "../../gen/sluice/v1/event_service_pb.ts";
import { dialectBodies, type SayableEvent, toContent } from "../support/dialect-bodies.ts";
import { contentOf, type ListedJson, listAllEvents } from "../support/listed-events.ts";
import { useSluice } from "../support/sluice-process.ts";

const sluice = useSluice();

/** Sends an event with the id `<key>/0`. Rejects unless it is answered as stored. */
type Send = (event: SayableEvent, key: string) => Promise<void>;

const senders = new Map<string, Send>();

beforeAll(async () => {
  await sluice.start();
  const baseUrl = `http://${sluice.httpAddress}`;
  senders.set("grpc", asCall(createGrpcTransport({ baseUrl: `http://${sluice.grpcAddress}` })));
  senders.set("connect", asCall(createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false })));
  senders.set("grpc-web", asCall(createGrpcWebTransport({ baseUrl, httpVersion: "1.1" })));
  senders.set("split", asRequest("/api/events", dialectBodies.split));
  senders.set("dx", asRequest("/events.track", dialectBodies.dx));
  senders.set("bloomreach", asRequest("/track/v2/projects/dev/customers/events", dialectBodies.bloomreach));
  senders.set("oppizi", asRequest("/tracking/events", dialectBodies.oppizi));
});

function asCall(transport: Transport): Send {
  const client = createClient(EventService, transport);
  const headers = { authorization: `Bearer ${sluice.key}` };
  return async ({ timeMs, ...fields }, key) => {
    const event = { ...fields, id: `${key}/0`, ...(timeMs === undefined ? {} : { time: timestampFromMs(timeMs) }) };
    await client.track({ event }, { headers });
  };
}

function asRequest(path: string, toBody: (event: SayableEvent) => JsonObject): Send {
  return async (event, key) => {
    const response = await fetch(`http://${sluice.httpAddress}${path}`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${sluice.key}`,
        "content-type": "application/json",
        "idempotency-key": key,
      },
      body: JSON.stringify(toBody(event)),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${text}`);
  };
}

/** The names that Split takes; the other dialects take more. */
const name = fc.stringMatching(/^[a-zA-Z0-9][-_.:a-zA-Z0-9]{0,79}$/);

/** A number as JSON can say it: -0 is 0 there. */
const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => (n === 0 ? 0 : n));

function properties(value: fc.Arbitrary<JsonValue>): fc.Arbitrary<JsonObject> {
  const key = fc.oneof(
    { arbitrary: fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 }), weight: 9 },
    { arbitrary: fc.constantFrom("__proto__", "constructor", "a.b", "a[b]"), weight: 1 },
  );
  // Bloomreach wants one; DX takes a kilobyte in all, Oppizi 40 characters of a name.
  return fc.dictionary(
    key.filter((text) => text.length <= 40),
    value,
    { minKeys: 1, maxKeys: 4, noNullPrototype: true },
  );
}

const text = fc.string({ unit: "grapheme", maxLength: 10 });

/** What dialects without a value can say as well as calls can. */
const timedEvent: fc.Arbitrary<SayableEvent> = fc.record({
  name,
  identities: fc.record({ email: fc.emailAddress({ size: "small" }) }, { noNullPrototype: true }),
  // Seconds that no one takes for another unit.
  timeMs: fc.integer({ min: 100_000_000, max: 1_700_000_000 }).map((seconds) => seconds * 1000),
  properties: properties(fc.oneof(text, number, fc.boolean(), fc.constant(null))),
});

/** What dialects with a value can say as well as calls can. */
const valuedEvent: fc.Arbitrary<SayableEvent> = fc.record({
  name,
  identities: fc.record(
    // Split trims it.
    { user: fc.string({ minLength: 1, maxLength: 40 }).filter((id) => id.trim() === id) },
    { noNullPrototype: true },
  ),
  value: number,
  properties: properties(fc.oneof(text, number, fc.boolean())),
});

let keyCount = 0;
const newKey = () => `key-${keyCount++}`;

async function sendBy(entrance: string, event: SayableEvent, key: string): Promise<void> {
  const send = senders.get(entrance);
  if (send === undefined) throw new Error(`there is no ${entrance}`);
  await send(event, key);
}

/** The events with one of these keys, oldest first. */
async function listByKeys(keys: readonly string[]): Promise<ListedJson[]> {
  const ids = new Set(keys.map((key) => `${key}/0`));
  const events = await listAllEvents(`http://${sluice.httpAddress}`, sluice.key);
  return events.filter(({ id }) => ids.has(id));
}

describe.each([
  ["a time and no value", timedEvent, ["grpc", "connect", "grpc-web", "split", "dx", "bloomreach"]],
  ["a value and no time", valuedEvent, ["grpc", "connect", "grpc-web", "split", "oppizi"]],
] as const)("an event with %s", (_, arbitraryEvent, entrances) => {
  it("is stored with the same content by whichever entrance it comes", async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryEvent, async (event) => {
        const keys = entrances.map(newKey);

        for (const [i, key] of keys.entries()) await sendBy(String(entrances[i]), event, key);

        const events = await listByKeys(keys);
        expect(events.map(({ entrance }) => entrance)).toEqual(entrances);
        expect(events.map(contentOf)).toEqual(entrances.map(() => toContent(event)));
      }),
      { numRuns: 12 },
    );
  });

  it("is stored once when it comes again with its id by another entrance, whichever was first", async () => {
    await fc.assert(
      fc.asyncProperty(
        arbitraryEvent,
        fc.shuffledSubarray([...entrances], { minLength: entrances.length }),
        async (event, order) => {
          const key = newKey();

          for (const entrance of order) await sendBy(entrance, event, key);

          const events = await listByKeys([key]);
          expect(events.map(({ entrance }) => entrance)).toEqual(order.slice(0, 1));
        },
      ),
      { numRuns: 12 },
    );
  });

  it("is a conflict by every entrance when its id has another content", async () => {
    const [event] = fc.sample(arbitraryEvent, 1);
    if (event === undefined) throw new Error("there is no event");
    const key = newKey();
    await sendBy("grpc", event, key);

    for (const entrance of entrances) {
      await expect(sendBy(entrance, { ...event, name: `${event.name.slice(0, 70)}2` }, key)).rejects.toThrow(
        /already_exists|409|ID_CONFLICT/,
      );
    }
  });
});
