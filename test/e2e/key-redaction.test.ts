import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readServerConfig } from "../../src/config/server-config.ts";
import { digestKey } from "../../src/domain/access.ts";
import { type RunningServer, startServer } from "../../src/server.ts";
import { captureLog } from "../support/captured-log.ts";
import { GrpcEventClient } from "../support/grpc-event-client.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-redaction-"));
const validKey = "a-valid-key-0123456789";
const unknownKey = "an-unknown-key-0123456789";

const { logger, lines } = captureLog();
let server: RunningServer | undefined;

beforeAll(async () => {
  const path = join(folder, "sluice.yaml");
  const key = `{ name: k, secret: "sha256:${digestKey(validKey)}", permissions: [track, list] }`;
  writeFileSync(path, `projects: { shop: { environments: [production], keys: [${key}] } }`);
  const { config } = readServerConfig({
    SLUICE_CONFIG: path,
    SLUICE_DATA_DIR: join(folder, "data"),
    SLUICE_HTTP_PORT: "0",
    SLUICE_GRPC_PORT: "0",
    SLUICE_REDIS_SERVER: process.env.SLUICE_REDIS_SERVER ?? "",
  });
  server = await startServer(config, { logger, searchPath: process.env.PATH });
});
afterAll(async () => {
  await server?.close();
  rmSync(folder, { recursive: true });
});

function address(): string {
  if (server === undefined) throw new Error("the server has not started");
  return server.httpAddress;
}

const service = "/sluice.v1.EventService";
const json = { "content-type": "application/json" };

/** Requests that show a key where it belongs, and where it does not. */
const requests: [where: string, toRequest: (key: string) => [path: string, init: RequestInit]][] = [
  ["the header", (key) => post("Track", { event: { name: "" } }, { authorization: `Bearer ${key}` })],
  ["the header, twice", (key) => post("Track", {}, { authorization: `Bearer ${key} ${key}` })],
  ["a header of another scheme", (key) => post("Track", {}, { authorization: `Basic ${key}` })],
  ["a header of another name", (key) => post("Track", {}, { "x-api-key": key })],
  ["the content type", (key) => post("Track", {}, { authorization: `Bearer ${validKey}`, "content-type": key })],
  ["the protocol's version", (key) => post("Track", {}, { "connect-protocol-version": key })],
  ["the deadline", (key) => post("Track", {}, { authorization: `Bearer ${validKey}`, "connect-timeout-ms": key })],
  ["the compression", (key) => post("Track", {}, { authorization: `Bearer ${validKey}`, "content-encoding": key })],
  ["the query", (key) => [`${service}/ListEvents?authorization=Bearer+${key}&key=${key}`, {}]],
  ["the message of a GET", (key) => [`${service}/ListEvents?connect=v1&encoding=${key}&message=${key}`, authorized()]],
  ["the path", (key) => [`/${key}`, { method: "POST" }]],
  ["the method", (key) => post(key, {}, { authorization: `Bearer ${validKey}` })],
  ["a broken body", (key) => [`${service}/Track`, { ...authorized(), method: "POST", body: `{"event": ${key}` }]],
  ["a body that is no message", (key) => post("Track", { event: key })],
  ["an event's name", (key) => post("Track", { event: { name: `${key}\u0000` } })],
  ["an event's environment", (key) => post("Track", { event: { name: "n", environment: key } })],
  ["an event's value", (key) => post("Track", { event: { name: "n", value: key } })],
  ["an event's property", (key) => post("TrackMany", { events: [{ name: "", properties: { a: key } }] })],
  ["a page token", (key) => post("ListEvents", { pageToken: key })],
];

function authorized(): { headers: Record<string, string> } {
  return { headers: { ...json, authorization: `Bearer ${validKey}` } };
}

function post(method: string, body: object, headers?: Record<string, string>): [string, RequestInit] {
  const allHeaders = headers === undefined ? authorized().headers : { ...json, ...headers };
  return [`${service}/${method}`, { method: "POST", headers: allHeaders, body: JSON.stringify(body) }];
}

describe.each([
  ["valid", validKey],
  ["unknown", unknownKey],
])("a %s key", (_, key) => {
  it.each(requests)("in %s reaches neither the log nor the answer", async (_where, toRequest) => {
    const [path, init] = toRequest(key);

    const response = await fetch(`http://${address()}${path}`, init);

    expect(await response.text()).not.toContain(key);
    expect(JSON.stringify([...response.headers])).not.toContain(key);
    expectNothingLogged(key);
  });

  it("in gRPC's metadata reaches neither the log nor the answer", async () => {
    const client = new GrpcEventClient(server?.grpcAddress ?? "", key);
    const failure = await client.track({ event: { name: "" } }).catch((error) => error);
    client.close();

    expect(String(failure)).toMatch(/UNAUTHENTICATED|INVALID_ARGUMENT/);
    expect(`${failure} ${failure.details}`).not.toContain(key);
    expectNothingLogged(key);
  });

  it.each([`GET / HTTP/1.1\r\nHost: [${"KEY"}\r\n\r\n`, "KEY\r\n\r\n", "GET KEY HTTP/9\r\nKEY\r\n\r\n"])(
    "in what is no request, %j, reaches neither the log nor the answer",
    async (garbage) => {
      const [host, port] = address().split(":");
      const socket = connect(Number(port), host);
      await once(socket, "connect");
      socket.end(garbage.replaceAll("KEY", key));

      expect(await text(socket).catch(() => "")).not.toContain(key);
      expectNothingLogged(key);
    },
  );
});

it("no key is in what the server logs when it closes", async () => {
  await server?.close();

  expectNothingLogged(validKey);
  expectNothingLogged(unknownKey);
});

function expectNothingLogged(key: string): void {
  expect(lines.length).toBeGreaterThan(0);
  expect(lines.filter((line) => line.includes(key) || line.includes(digestKey(key)))).toEqual([]);
}
