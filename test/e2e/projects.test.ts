import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { digestKey } from "../../src/domain/access.ts";
import { GrpcEventClient, readErrorDetails } from "../support/grpc-event-client.ts";
import { projectDir, runCommand, SluiceProcess } from "../support/sluice-process.ts";
import { waitUntil } from "../support/wait-until.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-projects-"));
const servers: SluiceProcess[] = [];
afterAll(async () => {
  for (const one of servers) await one.remove();
  rmSync(folder, { recursive: true });
});

const keys = {
  shop: "shop-key-0123456789",
  shopTrack: "shop-track-key-0123456789",
  shopList: "shop-list-key-0123456789",
  shopProduction: "shop-production-key-0123456789",
  shopTwo: "shop-two-environments-key-0123456789",
  blog: "blog-key-0123456789",
  limited: "limited-key-0123456789",
  full: "full-key-0123456789",
} as const;

interface KeyFields {
  readonly permissions?: string;
  readonly environments?: string;
}

function keyLine(name: keyof typeof keys, { permissions = "track, list", environments }: KeyFields = {}): string {
  const bound = environments === undefined ? "" : `, environments: [${environments}]`;
  const id = name.toLowerCase();
  return `- { name: ${id}, secret: "sha256:${digestKey(keys[name])}", permissions: [${permissions}]${bound} }`;
}

const blog = `
  blog:
    keys:
      ${keyLine("blog")}`;

const allProjects = `projects:
  shop:
    environments: [production, staging, lab]
    identityKinds: [user]
    keys:
      ${keyLine("shop")}
      ${keyLine("shopTrack", { permissions: "track" })}
      ${keyLine("shopList", { permissions: "list" })}
      ${keyLine("shopProduction", { environments: "production" })}
      ${keyLine("shopTwo", { environments: "production, staging" })}
${blog}
  limited:
    rateLimits: [{ events: 3, per: 1h }]
    keys:
      ${keyLine("limited")}
  full:
    maxEvents: 2
    keys:
      ${keyLine("full")}
`;

/** A server with such a file of projects. */
function newSluice(file: string, env: Record<string, string> = {}): { sluice: SluiceProcess; path: string } {
  const path = join(folder, `${servers.length}.yaml`);
  writeFileSync(path, file);
  const sluice = new SluiceProcess({ SLUICE_CONFIG: path, ...env });
  servers.push(sluice);
  return { sluice, path };
}

interface Answer {
  /** The status code's name; undefined when the call went well. */
  readonly code?: string;
  readonly reason?: string;
  // biome-ignore lint/suspicious/noExplicitAny: JSON of whichever message it is
  readonly body: any;
}

async function call(sluice: SluiceProcess, key: string, method: string, request: object): Promise<Answer> {
  const response = await fetch(`http://${sluice.httpAddress}/sluice.v1.EventService/${method}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(key && { authorization: `Bearer ${key}` }) },
    body: JSON.stringify(request),
  });
  const body = (await response.json()) as Answer["body"];
  return response.ok ? { body } : { code: body.code, reason: body.details?.[0]?.debug?.reason, body };
}

const track = (sluice: SluiceProcess, key: string, event: object) => call(sluice, key, "Track", { event });

async function listIds(sluice: SluiceProcess, key: string): Promise<string[]> {
  const { body } = await call(sluice, key, "ListEvents", { order: "ORDER_OLDEST_FIRST", pageSize: 1000 });
  return (body.events ?? []).map(({ id }: { id: string }) => id);
}

let nextId = 0;
const newEvent = (fields: object = {}) => ({ id: `e${nextId++}`, name: "click", ...fields });

describe("projects of a file", () => {
  const { sluice } = newSluice(allProjects);
  beforeAll(() => sluice.start());

  it("never see each other's events, ids or pages", async () => {
    const event = newEvent();
    const inShop = await track(sluice, keys.shop, { ...event, value: 1 });
    const inBlog = await track(sluice, keys.blog, { ...event, value: 2 });
    await track(sluice, keys.shop, newEvent());
    const page = await call(sluice, keys.shop, "ListEvents", { pageSize: 1 });

    expect([inShop.code, inShop.body.duplicate ?? false]).toEqual([undefined, false]);
    expect([inBlog.code, inBlog.body.duplicate ?? false]).toEqual([undefined, false]);
    expect(inShop.body.cursor).not.toBe(inBlog.body.cursor);
    expect(await listIds(sluice, keys.blog)).toEqual([event.id]);
    expect(await listIds(sluice, keys.shop)).toContain(event.id);
    expect(page.body.nextPageToken).toMatch(/./);
    expect(
      await call(sluice, keys.blog, "ListEvents", { pageSize: 1, pageToken: page.body.nextPageToken }),
    ).toMatchObject({ code: "invalid_argument", reason: "PAGE_TOKEN_INVALID" });
  });

  it("have quotas of their own", async () => {
    const answers = [];
    for (let i = 0; i < 4; i++) answers.push(await track(sluice, keys.limited, newEvent()));

    expect(answers.map(({ reason }) => reason)).toEqual([undefined, undefined, undefined, "RATE_LIMITED"]);
    expect((await track(sluice, keys.blog, newEvent())).code).toBeUndefined();
    const limitsOf = async (key: string) => (await call(sluice, key, "GetLimits", {})).body.quotas ?? [];
    expect(await limitsOf(keys.limited)).toMatchObject([{ limit: "3", per: "3600s" }]);
    expect(await limitsOf(keys.blog)).toEqual([]);
  });

  it("have rejected events of their own", async () => {
    const event = newEvent({ name: "" });
    await track(sluice, keys.shop, event);

    const rejectedWith = async (key: string): Promise<string[]> => {
      const { body } = await call(sluice, key, "ListRejectedEvents", {});
      return (body.events ?? []).map(({ id }: { id: string }) => id);
    };
    await waitUntil(async () => (await rejectedWith(keys.shop)).includes(event.id));
    expect(await rejectedWith(keys.blog)).toEqual([]);
  });

  it("hold no more events than they may", async () => {
    const answers = [];
    for (let i = 0; i < 3; i++) answers.push(await track(sluice, keys.full, newEvent()));

    expect(answers.map(({ reason }) => reason)).toEqual([undefined, undefined, "STORAGE_FULL"]);
  });

  it("reject an identity of a kind that they do not have", async () => {
    const answer = await track(sluice, keys.shop, newEvent({ identities: { usr: "ada" } }));

    expect(answer).toMatchObject({ code: "invalid_argument", reason: "EVENT_INVALID" });
    expect((await track(sluice, keys.shop, newEvent({ identities: { user: "ada" } }))).code).toBeUndefined();
  });

  it.each([
    ["", "unauthenticated", "KEY_MISSING"],
    ["no-key-of-any-project", "unauthenticated", "KEY_INVALID"],
    [digestKey(keys.shop), "unauthenticated", "KEY_INVALID"],
    [`sha256:${digestKey(keys.shop)}`, "unauthenticated", "KEY_INVALID"],
    [sluice.key, "unauthenticated", "KEY_INVALID"],
    [keys.shopList, "permission_denied", "PERMISSION_MISSING"],
  ])("take no event with the key %j", async (key, code, reason) => {
    expect(await track(sluice, key, newEvent())).toMatchObject({ code, reason });
    expect(await call(sluice, key, "TrackMany", { events: [newEvent()] })).toMatchObject({ code, reason });
  });

  it("list nothing for a key that may only track, and take no stream from one that may only list", async () => {
    expect(await call(sluice, keys.shopTrack, "ListEvents", {})).toMatchObject({
      code: "permission_denied",
      reason: "PERMISSION_MISSING",
    });
    const client = new GrpcEventClient(sluice.grpcAddress, keys.shopList);
    const { call: stream, response } = client.openTrackBatch();
    stream.end();

    expect(readErrorDetails(await response.catch((error) => error)).reason).toBe("PERMISSION_MISSING");
    client.close();
  });

  it.each([
    [keys.shopProduction, undefined, undefined, "production"],
    [keys.shopProduction, "production", undefined, "production"],
    [keys.shopProduction, "staging", "ENVIRONMENT_FORBIDDEN", undefined],
    [keys.shopProduction, "moon", "EVENT_INVALID", undefined],
    [keys.shopTwo, undefined, "ENVIRONMENT_FORBIDDEN", undefined],
    [keys.shopTwo, "staging", undefined, "staging"],
    [keys.shopTwo, "lab", "ENVIRONMENT_FORBIDDEN", undefined],
    [keys.shop, undefined, undefined, ""],
    [keys.shop, "lab", undefined, "lab"],
    [keys.shop, "moon", "EVENT_INVALID", undefined],
    [keys.blog, "moon", undefined, "moon"],
  ])("with the key %s, an event in %s is answered with %s and kept in %s", async (key, environment, reason, kept) => {
    const event = newEvent({ environment });

    expect((await track(sluice, key, event)).reason).toBe(reason);

    const all = key === keys.blog ? keys.blog : keys.shop;
    const { body } = await call(sluice, all, "ListEvents", { pageSize: 1000 });
    const found = body.events.find(({ id }: { id: string }) => id === event.id);
    expect(found && (found.environment ?? "")).toBe(kept);
  });

  it("list to a bound key what is in its environments only", async () => {
    const events = ["production", "staging", "lab"].map((environment) => newEvent({ environment }));
    for (const event of events) await track(sluice, keys.shop, event);
    const ids = events.map(({ id }) => id);

    const seenWith = async (key: string) => (await listIds(sluice, key)).filter((id) => ids.includes(id));
    expect(await seenWith(keys.shop)).toEqual(ids);
    expect(await seenWith(keys.shopTwo)).toEqual(ids.slice(0, 2));
    expect(await seenWith(keys.shopProduction)).toEqual(ids.slice(0, 1));
  });

  it("make no development key", () => {
    expect(existsSync(join(sluice.dataDir, "dev-key"))).toBe(false);
    expect(sluice.output).not.toContain(sluice.key);
    expect(sluice.log).toMatch(/"level":40.*SLUICE_DEV_KEY has no effect/);
    expect(sluice.log).not.toContain(sluice.key);
  });
});

describe("a file of projects that changes", () => {
  const oneShop = (...lines: string[]) =>
    `projects:\n  shop:\n    keys:\n${lines.map((line) => `      ${line}\n`).join("")}`;
  let sluice: SluiceProcess;
  let path: string;
  let client: GrpcEventClient;

  async function start(): Promise<void> {
    ({ sluice, path } = newSluice(oneShop(keyLine("shop"))));
    await sluice.start();
    client = new GrpcEventClient(sluice.grpcAddress, keys.shop);
  }
  afterEach(async () => {
    client.close();
    await sluice.end();
  });

  function openStream() {
    const { call: stream, response } = client.openTrackBatch();
    const ids: string[] = [];
    return {
      /** Sends an event, and waits until it is stored. */
      async send(listKey: string) {
        const event = newEvent();
        ids.push(event.id);
        stream.write({ events: [event] });
        await waitUntil(async () => (await listIds(sluice, listKey)).includes(event.id));
      },
      async end() {
        stream.end();
        return Number((await response).acceptedCount);
      },
    };
  }

  const opens = async (key: string) => (await call(sluice, key, "ListEvents", {})).code === undefined;

  it("is taken up soon after, without dropping a call", async () => {
    await start();
    const stream = openStream();
    await stream.send(keys.shop);

    writeFileSync(`${path}.new`, oneShop(keyLine("shop"), keyLine("shopTwo")));
    renameSync(`${path}.new`, path);

    await waitUntil(() => opens(keys.shopTwo));
    await stream.send(keys.shopTwo);
    expect(await stream.end()).toBe(2);
    expect(sluice.log).toMatch(/"level":30.*key shoptwo of shop added.*the configuration has changed/);
  });

  it("cuts a stream whose key it took away, at its next message, and says what had become of it", async () => {
    await start();
    const { call: stream, response } = client.openTrackBatch();
    const cut = response.catch(readErrorDetails);
    const [first, second] = [newEvent(), newEvent()];
    stream.write({ events: [first] });
    await waitUntil(async () => (await listIds(sluice, keys.shop)).includes(first.id));

    writeFileSync(path, oneShop(keyLine("shopTwo")));
    process.kill(sluice.pid, "SIGHUP");
    await waitUntil(() => opens(keys.shopTwo));
    expect(await opens(keys.shop)).toBe(false);
    stream.write({ events: [second] });

    expect(await cut).toMatchObject({ reason: "KEY_INVALID", summary: { acceptedCount: 1n, nextIndex: 1n } });
    expect(await listIds(sluice, keys.shopTwo)).not.toContain(second.id);
  });

  it("is taken up at SIGHUP at once, without dropping a stream of a project that was gone for a while", async () => {
    await start();
    const stream = openStream();
    await stream.send(keys.shop);

    writeFileSync(path, `projects:${blog}`);
    process.kill(sluice.pid, "SIGHUP");
    await waitUntil(() => opens(keys.blog));
    expect(await opens(keys.shop)).toBe(false);

    writeFileSync(path, oneShop(keyLine("shop")));
    process.kill(sluice.pid, "SIGHUP");
    await waitUntil(() => opens(keys.shop));
    await stream.send(keys.shop);
    expect(await stream.end()).toBe(2);
    expect(await sluice.end()).toBe(0);
  });

  it("changes what a project may, for the calls that come", async () => {
    await start();
    expect((await track(sluice, keys.shop, newEvent({ environment: "moon" }))).code).toBeUndefined();

    writeFileSync(path, `${oneShop(keyLine("shop"))}    environments: [earth]\n`);
    process.kill(sluice.pid, "SIGHUP");

    await waitUntil(
      async () => (await track(sluice, keys.shop, newEvent({ environment: "moon" }))).reason === "EVENT_INVALID",
    );
    expect((await track(sluice, keys.shop, newEvent({ environment: "earth" }))).code).toBeUndefined();
  });

  it("is refused with all its faults when it has any, and the one before serves on", async () => {
    await start();
    const stream = openStream();
    await stream.send(keys.shop);

    writeFileSync(path, "projects: { shop: { keys: [{ name: a, secret: sluice_oops }], colour: red } }");
    await waitUntil(() => sluice.log.includes("the configuration before stays in force"));

    await stream.send(keys.shop);
    expect(await stream.end()).toBe(2);
    expect(await opens(keys.shop)).toBe(true);
    const errors = sluice.log.split("\n").filter((line) => line.includes('"level":50'));
    expect(errors).toEqual([
      expect.stringContaining("projects.shop.keys[0].secret is not valid; it must be"),
      expect.stringContaining("projects.shop.keys[0].permissions is not set; it must be"),
      expect.stringContaining("projects.shop.colour is not a field; the nearest is"),
      expect.stringContaining("the configuration before stays in force"),
    ]);
    expect(sluice.log).not.toContain("sluice_oops");
  });

  it("takes in a key as `sluice keys new` prints it", async () => {
    await start();
    const env = { ...sluice.env, SLUICE_LOG_LEVEL: "" };
    const args = ["keys", "new", "--project", "shop", "--name", "reports", "--permissions", "track,list"];
    const made = await runCommand(join(projectDir, "bin/sluice"), args, { env });
    const [, key = ""] = /^ {2}(sluice_\S+)$/m.exec(made.stdout) ?? [];
    const [, line = ""] = /^ {6}(- .*)$/m.exec(made.stdout) ?? [];
    expect([made.exitCode, made.stderr]).toEqual([0, ""]);

    writeFileSync(path, `${readFileSync(path, "utf8")}      ${line}\n`);
    await waitUntil(() => opens(key));

    const clientEnv = { ...env, SLUICE_URL: `http://${sluice.httpAddress}`, SLUICE_KEY: key };
    const stdin = `${JSON.stringify(newEvent())}\n`;
    const imported = await runCommand(join(projectDir, "bin/sluice"), ["import", "-"], { env: clientEnv, stdin });
    const checked = await runCommand(join(projectDir, "bin/sluice"), ["config", "check"], { env });
    expect(imported.exitCode).toBe(0);
    expect(checked).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^ {2}key reports +track, list$/m) });
  });
});

describe("sluice serve", () => {
  it("does not start with a file that has faults, and names them all", async () => {
    const { sluice, path } = newSluice("projects: { Shop: { keys: [] }, blog: }");

    const message = await sluice.start().then(String, ({ message }) => message);

    expect(message).toContain("ended with 1");
    expect(message.match(/^.*projects.*$/gm)).toEqual([
      expect.stringContaining(`sluice: ${path}: projects.Shop is not a name for a project`),
      `sluice: ${path}: projects.Shop.keys is empty; it must be a list of one key or more`,
      `sluice: ${path}: projects.blog is empty; it must be a mapping with the field keys`,
    ]);
    const checked = await runCommand(join(projectDir, "bin/sluice"), ["config", "check", path]);
    expect(checked).toMatchObject({ exitCode: 1, stdout: "", stderr: expect.stringContaining("projects.Shop.keys") });
  });

  it("listens beyond loopback with a file of projects only", async () => {
    const { sluice } = newSluice(allProjects, { SLUICE_HOST: "0.0.0.0" });
    const { sluice: without } = newSluice("", { SLUICE_CONFIG: "", SLUICE_HOST: "0.0.0.0" });

    await sluice.start();

    expect(sluice.httpAddress).toMatch(/^0\.0\.0\.0:\d+$/);
    await expect(without.start()).rejects.toThrow(/ended with 1: sluice: SLUICE_HOST is "0\.0\.0\.0".*SLUICE_CONFIG/);
  });

  it("says that it serves the development project only, and ends at SIGHUP, without a file", async () => {
    const { sluice } = newSluice("", { SLUICE_CONFIG: "" });
    await sluice.start();

    expect(sluice.output).toContain("Sluice serves the development project only, on loopback only");
    expect(sluice.log).toContain("serving the development project only, on loopback only");
    expect(await sluice.end("SIGHUP")).toBe(0);
  });
});
