import { type Client, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import type { Event } from "../../gen/sluice/v1/event_pb.ts";
import { EventService, Order } from "../../gen/sluice/v1/event_service_pb.ts";
import { digestKey } from "../../src/domain/access.ts";
import { cursorLength, type Position, parseCursor } from "../../src/domain/cursor.ts";
import { everyEvent, type FilterQuery } from "../../src/domain/event-filter.ts";
import { narrowFilter } from "../../src/domain/narrow-filter.ts";
import { arbitraryQuery, environmentNames, matchesDecoded, noFilter } from "../support/arbitrary-filters.ts";
import { newProject } from "../support/events.ts";
import { toFilterMessage } from "../support/filter-message.ts";
import {
  arbitraryChange,
  arbitraryShare,
  createModelledProject,
  type ModelledProject,
} from "../support/modelled-project.ts";
import type { ReadModel } from "../support/read-model.ts";
import { useConfiguredSluice } from "../support/use-configured-sluice.ts";
import { TestRedis } from "../support/use-redis.ts";

/** Each run has a project of its own; when they are used up, the first again, with what it holds. */
const projectCount = 150;
const keyOf = (project: number) => `key-of-project-${project}-0123456789`;
const boundKeyOf = (project: number) => `bound-key-of-project-${project}-0123456789`;
const boundTo = environmentNames.slice(0, 1);

const projectLines = Array.from({ length: projectCount }, (_, project) => {
  const keyLine = (name: string, key: string, bound = "") =>
    `{ name: ${name}, secret: "sha256:${digestKey(key)}", permissions: [track, list]${bound} }`;
  const keys = [keyLine("any", keyOf(project)), keyLine("bound", boundKeyOf(project), `, environments: [${boundTo}]`)];
  return `  p${project}: { indexedProperties: [status, tags], keys: [${keys}] }\n`;
});

// With small nodes, as only whole ones are trimmed.
const server = new TestRedis({ args: ["--stream-node-max-entries", "4"] });
beforeAll(() => server.start());
const sluice = useConfiguredSluice(`projects:\n${projectLines.join("")}`, { SLUICE_REDIS_URL: server.socketPath });
afterAll(() => server.remove());

type EventClient = Client<typeof EventService>;
let clients: Record<"grpc" | "connectJson", EventClient>;
const modelled: ModelledProject[] = [];
beforeAll(() => {
  const [grpcUrl, baseUrl] = [`http://${sluice.grpcAddress}`, `http://${sluice.httpAddress}`];
  const json = createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false, useHttpGet: true });
  clients = {
    grpc: createClient(EventService, createGrpcTransport({ baseUrl: grpcUrl })),
    connectJson: createClient(EventService, json),
  };
  const redis = server.connect();
  for (let i = 0; i < projectCount; i++) {
    modelled.push(createModelledProject({ name: `p${i}`, key: keyOf(i), client: clients.grpc, redis }));
  }
});

/** How a run reads. */
interface Reading {
  readonly protocol: keyof typeof clients;
  readonly isBound: boolean;
  readonly query: FilterQuery;
}

// Few parts of a filter at a time, or hardly anything would match.
const parts = ["names", "identity", "environment", "values", "valueMin", "properties", "includeTest"] as const;
const query: fc.Arbitrary<FilterQuery> = fc
  .tuple(arbitraryQuery(0, 0, 1), fc.subarray([...parts], { maxLength: 2 }))
  .map(([filter, kept]) => ({ ...noFilter, ...Object.fromEntries(kept.map((part) => [part, filter[part]])) }));

const reading: fc.Arbitrary<Reading> = fc
  .record({ protocol: fc.constantFrom("grpc" as const, "connectJson" as const), isBound: fc.boolean(), query })
  // Another environment than it may read is refused, and shows nothing.
  .map(({ query, ...rest }) => ({ ...rest, query: rest.isBound ? { ...query, environment: "" } : query }));

let runCount = 0;

/** A project, and what it takes to read it so. */
function setUp({ protocol, isBound, query }: Reading) {
  const n = runCount++ % projectCount;
  const project = modelled[n] as ModelledProject;
  return {
    ...project,
    client: clients[protocol],
    headers: { authorization: `Bearer ${isBound ? boundKeyOf(n) : keyOf(n)}` },
    environments: isBound ? boundTo : [],
    filter: narrowFilter(query, { environments: isBound ? boundTo : [], project: newProject() }),
  };
}

/** What an error says: its reason, and the oldest cursor, if it tells one. */
async function refusalOf(answer: Promise<unknown>): Promise<(string | undefined)[]> {
  const thrown = await answer.then(() => undefined, ConnectError.from);
  const [info] = thrown?.findDetails(ErrorInfoSchema) ?? [];
  return [info?.reason, info?.metadata.oldest_cursor];
}

const expired = ({ events }: ReadModel) => ["CURSOR_EXPIRED", events[0]?.cursor];
const idsOf = (events: readonly { readonly id: string; readonly cursor: string }[]) =>
  events.map(({ id, cursor }) => `${cursor} ${id}`);

/** When an event was received that is at this share of all. */
function msAt({ events }: ReadModel, share: number | undefined): number | undefined {
  return share === undefined ? undefined : events[Math.floor(share * (events.length - 1))]?.position.ms;
}

/** The items at these shares of all. */
function pick<T>(items: readonly T[], shares: readonly number[]): T[] {
  return shares.flatMap((one) => items[Math.floor(one * (items.length - 1))] ?? []);
}

const optionalShare = fc.option(arbitraryShare, { nil: undefined, freq: 1 });
const changes = fc.array(arbitraryChange, { minLength: 4, maxLength: 16, size: "max" });
/** Some seconds in all; a machine that is very slow sees fewer runs. */
const bounds = { numRuns: 80, interruptAfterTimeLimit: 10_000 };

describe("a server, beside a model in memory", { timeout: 30_000 }, () => {
  it("pages through what the model holds, while that is written and trimmed", async () => {
    let [pageCount, foundCount, expiredCount] = [0, 0, 0];
    const listing = fc.record({
      order: fc.constantFrom("newest-first" as const, "oldest-first" as const),
      pageSize: fc.integer({ min: 0, max: 8 }),
      fromShare: optionalShare,
      untilShare: optionalShare,
    });

    await fc.assert(
      fc.asyncProperty(reading, listing, changes, changes, async (given, wanted, before, between) => {
        const { model, apply, client, headers, ...project } = setUp(given);
        for (const change of before) await apply(change);
        const [receivedFromMs, untilMs] = [msAt(model, wanted.fromShare), msAt(model, wanted.untilShare)];
        const times = { receivedFromMs, receivedUntilMs: untilMs && Math.max(untilMs, receivedFromMs ?? 0) };
        const filter = { ...project.filter, ...times };
        const { order, pageSize } = wanted;
        const request = {
          filter: toFilterMessage({ ...given.query, ...times }),
          order: order === "oldest-first" ? Order.OLDEST_FIRST : Order.NEWEST_FIRST,
          pageSize,
        };
        const atStart = new Set(model.events);
        const remaining = [...between];
        let after: Position | undefined;

        for (let pageToken = ""; ; ) {
          // What is written meanwhile is for those who come from the oldest.
          const rest = model
            .find(filter, order, after)
            .filter((event) => order === "oldest-first" || atStart.has(event));
          const page = client.listEvents({ ...request, pageToken }, { headers });
          const position = parseCursor(pageToken.slice(0, cursorLength));
          if (position !== undefined && model.isExpired(position)) {
            expiredCount++;
            expect(await refusalOf(page)).toEqual(expired(model));
            return;
          }
          const { events, nextPageToken } = await page;
          const expected = nextPageToken === "" ? rest : rest.slice(0, pageSize || 20);

          expect(idsOf(events)).toEqual(idsOf(expected));
          expect(events.length).toBeLessThanOrEqual(pageSize || 20);

          pageCount++;
          foundCount += events.length;
          if (nextPageToken === "") return;
          after = expected.at(-1)?.position ?? after;
          pageToken = nextPageToken;
          const change = remaining.shift();
          if (change !== undefined) await apply(change);
        }
      }),
      bounds,
    );

    // Else it would show little.
    expect(pageCount).toBeGreaterThan(20);
    expect(foundCount).toBeGreaterThan(40);
    expect(expiredCount).toBeGreaterThan(0);
  });

  it("gets what the model keeps, by id and by cursor, and says what is gone", async () => {
    let [gotCount, goneCount] = [0, 0];

    await fc.assert(
      fc.asyncProperty(reading, changes, fc.array(arbitraryShare, { maxLength: 4 }), async (given, before, shares) => {
        const { model, apply, client, headers, environments } = setUp(given);
        for (const change of before) await apply(change);
        for (const event of pick([...model.gone, ...model.events], shares)) {
          const { id, cursor } = event;
          const byId = () => client.getEvent({ event: { case: "id", value: id } }, { headers });
          const byCursor = () => client.getEvent({ event: { case: "cursor", value: cursor } }, { headers });
          if (model.gone.includes(event)) {
            goneCount++;
            expect(await refusalOf(byId())).toEqual(["EVENT_NOT_FOUND", undefined]);
            expect(await refusalOf(byCursor())).toEqual(expired(model));
          } else if (matchesDecoded({ ...everyEvent, environments }, event)) {
            gotCount++;
            for (const { event: got } of await Promise.all([byId(), byCursor()]))
              expect(got).toMatchObject({ id, cursor });
          } else {
            expect(await refusalOf(byId())).toEqual(["EVENT_NOT_FOUND", undefined]);
            expect(await refusalOf(byCursor())).toEqual(["EVENT_NOT_FOUND", undefined]);
          }
        }
      }),
      bounds,
    );

    expect(gotCount).toBeGreaterThan(3);
    expect(goneCount).toBeGreaterThan(0);
  });

  it("tails what the model holds behind any cursor, and says when something there is gone", async () => {
    let [givenCount, expiredCount] = [0, 0];

    await fc.assert(
      fc.asyncProperty(reading, changes, changes, arbitraryShare, async (given, before, meanwhile, at) => {
        const { model, apply, client, headers, filter } = setUp(given);
        for (const change of before) await apply(change);
        const [from] = pick([...model.gone, ...model.events], [at]);
        if (from === undefined) return;
        const ending = new AbortController();
        const request = { filter: toFilterMessage(given.query), afterCursor: from.cursor };
        const tail = client.tailEvents(request, { headers, signal: ending.signal })[Symbol.asyncIterator]();
        if (model.isExpired(from.position)) {
          expiredCount++;
          expect(await refusalOf(tail.next())).toEqual(expired(model));
          return;
        }
        expect((await tail.next()).value).toMatchObject({ events: [], cursor: from.cursor });
        for (const change of meanwhile) if (change.kind !== "trim") await apply(change);
        const expected = model.find(filter, "oldest-first", from.position);

        const got: Event[] = [];
        // More than there is cannot be waited for: nothing says that a tail has come to the end.
        while (got.length < expected.length) {
          const { value, done } = await tail.next();
          if (done) break;
          got.push(...value.events);
        }
        ending.abort();

        expect(idsOf(got)).toEqual(idsOf(expected));
        givenCount += got.length;
      }),
      bounds,
    );

    expect(givenCount).toBeGreaterThan(10);
    expect(expiredCount).toBeGreaterThan(0);
  });
});
