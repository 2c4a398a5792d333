import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Client, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { beforeAll, describe, expect, it } from "vitest";
import { BadRequestSchema, ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import type { Event } from "../../gen/sluice/v1/event_pb.ts";
import { type EventFilterSchema, EventService, Order } from "../../gen/sluice/v1/event_service_pb.ts";
import { digestKey } from "../../src/domain/access.ts";
import { type Position, parseCursor, toCursor } from "../../src/domain/cursor.ts";
import { useConfiguredSluice } from "../support/use-configured-sluice.ts";
import { waitUntil } from "../support/wait-until.ts";

const keys = {
  shop: "key-of-the-shop-0123456789",
  shopProduction: "key-of-production-of-the-shop",
  shopStaging: "key-of-staging-of-the-shop-012",
  shopTwo: "key-of-two-environments-of-the-shop",
  blog: "key-of-the-blog-0123456789",
  blogProduction: "key-of-production-of-the-blog",
} as const;
type KeyName = keyof typeof keys;

/** Whose events each key may read. */
const views: readonly (readonly [key: KeyName, owners: readonly string[]])[] = [
  ["shop", ["shop", "shop/production", "shop/staging"]],
  ["shopProduction", ["shop/production"]],
  ["shopStaging", ["shop/staging"]],
  ["shopTwo", ["shop/production", "shop/staging"]],
  ["blog", ["blog", "blog/production"]],
  ["blogProduction", ["blog/production"]],
];
const owners = ["shop", "blog", "shop/production", "blog/production", "shop/staging"];
const projectOf = (owner: string) => (owner.split("/")[0] === "shop" ? "shop" : "blog");
const mayRead = (key: KeyName) => views.find(([name]) => name === key)?.[1] ?? [];
const keyProject = (key: KeyName) => projectOf(mayRead(key)[0] ?? "");

function keyLine(name: KeyName, environments?: string): string {
  const bound = environments === undefined ? "" : `, environments: [${environments}]`;
  return `{ name: ${name.toLowerCase()}, secret: "sha256:${digestKey(keys[name])}", permissions: [track, list]${bound} }`;
}

const sluice = useConfiguredSluice(`projects:
  shop:
    indexedProperties: [path]
    keys:
      - ${keyLine("shop")}
      - ${keyLine("shopProduction", "production")}
      - ${keyLine("shopStaging", "staging")}
      - ${keyLine("shopTwo", "production, staging")}
  blog:
    indexedProperties: [path]
    keys:
      - ${keyLine("blog")}
      - ${keyLine("blogProduction", "production")}
`);

const headersOf = (key: KeyName) => ({ authorization: `Bearer ${keys[key]}` });

const protocols = ["grpc", "connectJson"] as const;
let clients: Record<(typeof protocols)[number], Client<typeof EventService>>;

/** Events that are stored before any test: of all owners in turn, with the same ids, identities and paths in both projects. */
const seedCount = 5 * owners.length;
/** These, and what tests have stored since. */
const stored: { readonly owner: string; readonly id: string; readonly cursor: string }[] = [];

async function store(owner: string, id: string, name = "click") {
  const [project, environment = ""] = owner.split("/");
  const properties = { path: "/", owner };
  const event = { id, name, identities: { user: "ada" }, environment, properties };
  const { cursor } = await clients.grpc.track({ event }, { headers: headersOf(project === "shop" ? "shop" : "blog") });
  return { owner, id, cursor };
}

beforeAll(async () => {
  const baseUrl = `http://${sluice.httpAddress}`;
  clients = {
    grpc: createClient(EventService, createGrpcTransport({ baseUrl: `http://${sluice.grpcAddress}` })),
    connectJson: createClient(
      EventService,
      createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false, useHttpGet: true }),
    ),
  };
  for (let n = 0; n < 5; n++) {
    for (const owner of owners) {
      const environment = owner.split("/")[1] ?? "none";
      stored.push(await store(owner, `${environment}-${n}`, n === 4 ? `only of ${owner}` : "click"));
    }
  }
});

/** All that an error says. */
async function errorOf(answer: Promise<unknown>): Promise<object> {
  const error = await answer.then(() => undefined, ConnectError.from);
  if (error === undefined) throw new Error("it was not refused");
  const [info] = error.findDetails(ErrorInfoSchema);
  const faults = error.findDetails(BadRequestSchema).flatMap(({ fieldViolations }) => fieldViolations);
  return {
    code: error.code,
    message: error.rawMessage,
    reason: info?.reason,
    metadata: info?.metadata,
    faults: faults.map(({ field, description }) => `${field}: ${description}`),
    count: error.details.length,
  };
}

const ownerOf = ({ properties }: Event) => String(properties?.owner);

/** The same cursor, but for this. */
function cursorWith(cursor: string, changes: Partial<Position>): string {
  const position = parseCursor(cursor);
  if (position === undefined) throw new Error(`${cursor} is no cursor`);
  return toCursor({ ...position, ...changes });
}

const nobodysEpoch = "nobody-0-set";

type Filter = MessageInitShape<typeof EventFilterSchema>;
const text = (value: string) => ({ kind: { case: "stringValue" as const, value } });
const shared: readonly (readonly [string, Filter])[] = [
  ["no filter", {}],
  ["a name", { names: ["click"] }],
  ["an identity", { identity: { kind: "user", id: "ada" } }],
  ["an indexed property", { properties: { path: text("/") } }],
];

describe.each(protocols)("over %s, a key", (protocol) => {
  describe.each(views)("%s", (key, visible) => {
    const headers = headersOf(key);
    const mine = () => stored.filter(({ owner }) => visible.includes(owner));
    const others = () => stored.filter(({ owner }) => !visible.includes(owner));

    async function list(filter: Filter, order: Order = Order.OLDEST_FIRST): Promise<Event[]> {
      const events: Event[] = [];
      for (let pageToken = ""; ; ) {
        const page = await clients[protocol].listEvents({ filter, order, pageSize: 4, pageToken }, { headers });
        events.push(...page.events);
        if (page.nextPageToken === "") return events;
        pageToken = page.nextPageToken;
      }
    }

    it.each(shared)("lists only what it may read, by %s that all have", async (what, filter) => {
      const expected = mine().filter(({ id }) => what !== "a name" || !id.endsWith("-4"));

      for (const order of [Order.OLDEST_FIRST, Order.NEWEST_FIRST]) {
        const events = await list(filter, order);
        const inOrder = order === Order.OLDEST_FIRST ? expected : expected.toReversed();
        expect(events.map(({ id, cursor }) => [id, cursor])).toEqual(inOrder.map(({ id, cursor }) => [id, cursor]));
        expect(new Set(events.map(ownerOf))).toEqual(new Set(visible));
      }
    });

    it("finds nothing by what only others have", async () => {
      for (const owner of owners.filter((one) => !visible.includes(one))) {
        expect(await list({ names: [`only of ${owner}`] })).toEqual([]);
        expect(await list({ properties: { owner: text(owner) } })).toEqual([]);
      }
    });

    it("gets by id what it may read, and of the rest hears what it hears of an id that nobody sent", async () => {
      const get = (id: string) => clients[protocol].getEvent({ event: { case: "id", value: id } }, { headers });
      const unheardOf = await errorOf(get("nobody-sent-it"));
      expect(unheardOf).toMatchObject({ reason: "EVENT_NOT_FOUND" });
      const mineById = new Map(mine().map((one) => [one.id, one]));

      for (const id of new Set(stored.slice(0, seedCount).map((one) => one.id))) {
        const found = mineById.get(id);
        if (found === undefined) expect(await errorOf(get(id))).toEqual(unheardOf);
        else expect((await get(id)).event).toMatchObject({ cursor: found.cursor, properties: { owner: found.owner } });
      }
    });

    it("gets by cursor what it may read, and of the rest hears what it hears of a cursor of nothing", async () => {
      const get = (cursor: string) =>
        clients[protocol].getEvent({ event: { case: "cursor", value: cursor } }, { headers });
      const [own] = mine();
      const nothing = await errorOf(get(cursorWith(own?.cursor ?? "", { ms: 1 })));
      const nobodys = await errorOf(get(cursorWith(own?.cursor ?? "", { epoch: nobodysEpoch })));
      expect([nothing, nobodys]).toMatchObject([{ reason: "EVENT_NOT_FOUND" }, { reason: "CURSOR_EXPIRED" }]);

      for (const { owner, cursor } of mine().slice(0, seedCount / owners.length)) {
        expect((await get(cursor)).event).toMatchObject({ cursor, properties: { owner } });
      }
      for (const { owner, cursor } of others().slice(0, seedCount / owners.length)) {
        expect(await errorOf(get(cursor))).toEqual(projectOf(owner) === keyProject(key) ? nothing : nobodys);
      }
    });

    it("hears of a page token of another key what it hears of one that is made up", async () => {
      const page = (pageToken: string) => clients[protocol].listEvents({ pageSize: 1, pageToken }, { headers });
      const { nextPageToken } = await page("");
      const madeUp = await errorOf(page(`${nextPageToken.slice(0, -22)}${"A".repeat(22)}`));
      expect(madeUp).toMatchObject({ reason: "PAGE_TOKEN_INVALID" });

      for (const [other, owned] of views.filter(([name]) => name !== key)) {
        // Also those of who may read more, and asks for no more than this key does.
        for (const environment of ["", ...owned.flatMap((owner) => owner.split("/").slice(1))]) {
          const request = { pageSize: 1, filter: { environment } };
          const foreign = await clients[protocol].listEvents(request, { headers: headersOf(other) });
          expect(foreign.nextPageToken).not.toBe("");
          expect(await errorOf(page(foreign.nextPageToken))).toEqual(madeUp);
        }
      }
    });

    it("tails only what it may read, live and from where another event is", async () => {
      const foreign = others().filter(({ owner }) => projectOf(owner) === keyProject(key));
      const from = [undefined, mine()[0], ...foreign.slice(0, 1)];
      const ending = new AbortController();
      const tails = await Promise.all(
        from.flatMap((one) =>
          shared.map(async ([what, filter]) => {
            const request = { filter, afterCursor: one?.cursor ?? "" };
            const responses = clients[protocol].tailEvents(request, { headers, signal: ending.signal });
            const began = Promise.withResolvers<void>();
            const events: Event[] = [];
            const ended = (async () => {
              for await (const response of responses) {
                events.push(...response.events);
                began.resolve();
              }
            })().catch(() => {});
            await Promise.race([began.promise, ended]);
            return { what, events, ended, start: one === undefined ? stored.length : stored.indexOf(one) + 1 };
          }),
        ),
      );

      for (let n = 0; n < 2; n++) {
        for (const owner of owners) stored.push(await store(owner, `live-${protocol}-${key}-${owner}-${n}`));
      }

      for (const { what, events, start } of tails) {
        const expected = stored
          .slice(start)
          .filter(({ owner, id }) => visible.includes(owner) && (what !== "a name" || !id.endsWith("-4")));
        await waitUntil(() => events.length >= expected.length);
        expect(events.map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
        expect(events.filter((event) => !visible.includes(ownerOf(event)))).toEqual([]);
      }
      ending.abort();
      await Promise.all(tails.map(({ ended }) => ended));
    });

    it("tails nothing behind a cursor of the other project, as behind one of a data set that never was", async () => {
      const tail = (afterCursor: string) =>
        clients[protocol].tailEvents({ afterCursor }, { headers })[Symbol.asyncIterator]().next();
      const foreign = others().filter(({ owner }) => projectOf(owner) !== keyProject(key));
      const nobodys = await errorOf(tail(cursorWith(foreign[0]?.cursor ?? "", { epoch: nobodysEpoch })));
      expect(nobodys).toMatchObject({ reason: "CURSOR_EXPIRED" });

      for (const { cursor } of foreign.slice(0, 3)) expect(await errorOf(tail(cursor))).toEqual(nobodys);
    });
  });

  it.each<[KeyName, string[]]>([
    ["shopProduction", ["staging"]],
    ["shopStaging", ["production"]],
    ["blogProduction", ["staging"]],
    ["shopTwo", ["lab"]],
  ])("%s may not ask for another environment, be there one of that name or not", async (key, environments) => {
    const headers = headersOf(key);
    const asks = (environment: string) => [
      clients[protocol].listEvents({ filter: { environment } }, { headers }),
      clients[protocol].tailEvents({ filter: { environment } }, { headers })[Symbol.asyncIterator]().next(),
    ];
    const unheardOf = await Promise.all(asks("unheard of").map(errorOf));
    expect(unheardOf).toMatchObject([{ reason: "ENVIRONMENT_FORBIDDEN" }, { reason: "ENVIRONMENT_FORBIDDEN" }]);

    for (const environment of environments) {
      expect(await Promise.all(asks(environment).map(errorOf))).toEqual(unheardOf);
    }
  });
});
