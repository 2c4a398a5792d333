import { type IncomingHttpHeaders, type IncomingMessage, request as requestHttp1 } from "node:http";
import { connect } from "node:http2";
import { cors } from "@connectrpc/connect";
import { universalResponseToNodeResponse } from "@connectrpc/connect-node";
import { fastify } from "fastify";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { answerCors } from "../../src/http/cors.ts";
import { type Listener, listen } from "../../src/http/listener.ts";
import { listenerLimits } from "../../src/http/listener-limits.ts";
import { captureLog } from "../support/captured-log.ts";
import { useCrashWatch } from "../support/use-crash-watch.ts";

useCrashWatch();

let listener: Listener;
const app = fastify();

beforeAll(async () => {
  app.get("/fastify", (_request, reply) => reply.code(201).header("retry-after", "1").send({ ok: true }));
  app.get("/hijacked", (_request, reply) => reply.hijack().raw.writeHead(201, { "retry-after": "1" }).end());
  await app.ready();
  listener = await listen({
    host: "127.0.0.1",
    port: 0,
    limits: listenerLimits,
    logger: captureLog().logger,
    onRequest(request, response) {
      if (answerCors(request, response)) return;
      if (request.url === "/connect") {
        const header = new Headers({ "retry-after": "1" });
        void universalResponseToNodeResponse({ status: 201, header, body: pieces() }, response);
      } else app.routing(request, response);
    },
  });
});
afterAll(async () => {
  await listener.close(0);
  await app.close();
});

async function* pieces(): AsyncGenerator<Uint8Array> {
  yield Buffer.from("a");
  yield Buffer.from("b");
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

type Ask = (method: string, path: string, headers: Readonly<Record<string, string>>) => Promise<Answer>;

async function askHttp1(method: string, path: string, headers: Readonly<Record<string, string>>): Promise<Answer> {
  const request = requestHttp1({ host: "127.0.0.1", port: listener.port, method, path, headers, agent: false });
  request.end();
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request.on("response", resolve);
    request.on("error", reject);
  });
  const body = Buffer.concat(await response.toArray()).toString();
  return { status: response.statusCode ?? 0, headers: response.headers, body };
}

async function askHttp2(method: string, path: string, headers: Readonly<Record<string, string>>): Promise<Answer> {
  const session = connect(`http://127.0.0.1:${listener.port}`);
  const stream = session.request({ ":method": method, ":path": path, ...headers });
  const head = await new Promise<Record<string, unknown> & IncomingHttpHeaders>((resolve, reject) => {
    stream.on("response", resolve);
    stream.on("error", reject);
  });
  const body = Buffer.concat(await stream.toArray()).toString();
  session.destroy();
  return { status: Number(head[":status"]), headers: head, body };
}

function corsHeaders({ headers }: Answer): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => name.startsWith("access-control-") || name === "vary"),
  );
}

const origin = "https://shop.example";
const preflight = { origin, "access-control-request-method": "POST" };

function names(list: string | undefined): string[] {
  return (list ?? "").split(", ");
}

describe.each<[string, Ask]>([
  ["HTTP/1.1", askHttp1],
  ["HTTP/2", askHttp2],
])("a browser over %s", (_, ask) => {
  it.each(["/connect", "/fastify", "/nothing", "/%zz"])("is told what it may send to %s", async (path) => {
    const asked = "authorization,content-type, connect-protocol-version";
    const answer = await ask("OPTIONS", path, { ...preflight, "access-control-request-headers": asked });

    expect(answer).toMatchObject({ status: 204, body: "" });
    expect(corsHeaders(answer)).toEqual({
      "access-control-allow-origin": "*",
      "access-control-allow-methods": "GET, POST, PUT",
      "access-control-allow-headers": asked,
      "access-control-max-age": "7200",
      vary: "access-control-request-headers",
    });
  });

  it.each([
    ["/connect", 201],
    ["/fastify", 201],
    ["/hijacked", 201],
    ["/nothing", 404],
    ["/%zz", 400],
  ])("may read the answer of %s", async (path, status) => {
    const answer = await ask("GET", path, { origin });

    expect(answer.status).toBe(status);
    expect(answer.headers["retry-after"]).toBe(status === 201 ? "1" : undefined);
    const {
      "access-control-allow-origin": allowed,
      "access-control-expose-headers": exposed,
      ...rest
    } = corsHeaders(answer);
    expect(allowed).toBe("*");
    expect(names(String(exposed))).toEqual(
      expect.arrayContaining([
        "*",
        ...cors.exposedHeaders.map((name) => name.toLowerCase()),
        ...["ratelimit", "ratelimit-policy", "retry-after", "sluice-notice"],
      ]),
    );
    expect(rest).toEqual({});
  });

  it("of a page without an origin of its own may do so too", async () => {
    expect(corsHeaders(await ask("GET", "/fastify", { origin: "null" }))).toHaveProperty(
      "access-control-allow-origin",
      "*",
    );
  });

  it.each<[string, string, Record<string, string>]>([
    ["a request from no page", "GET", {}],
    ["a question from no page", "OPTIONS", { "access-control-request-method": "POST" }],
  ])("is not meant by %s", async (_, method, headers) => {
    expect(corsHeaders(await ask(method, "/fastify", headers))).toEqual({});
  });

  it("that sends OPTIONS for its own sake has the answer of the path", async () => {
    const answer = await ask("OPTIONS", "/fastify", { origin });

    expect(answer.status).toBe(404);
    expect(answer.headers["access-control-allow-origin"]).toBe("*");
  });
});

describe("the headers that a page asks for", () => {
  async function allowed(asked: string | undefined): Promise<string | undefined> {
    const { headers } = await askHttp1("OPTIONS", "/", {
      ...preflight,
      ...(asked !== undefined && { "access-control-request-headers": asked }),
    });
    return headers["access-control-allow-headers"];
  }

  const longest = Array.from({ length: 241 }, () => "x".repeat(16)).join(",");

  it.each(["x", "x-custom,authorization", "a , b\t,c", "X_!#$%&'*+.^`|~-9", longest])(
    "are allowed: %s",
    async (asked) => {
      expect(asked.length).toBeLessThanOrEqual(4096);
      expect(await allowed(asked)).toBe(asked);
    },
  );

  it.each([undefined, "", ",", "a,", "a,,b", "a b", "a;b", "a: b", '"a"', "<a>", "ä", `${longest}`.padEnd(4097, "x")])(
    "are those that clients send where what it asks is no list of names, or a long one: %s",
    async (asked) => {
      expect(names(await allowed(asked))).toEqual(
        expect.arrayContaining([
          ...["authorization", "content-type", "idempotency-key"],
          ...["connect-protocol-version", "connect-timeout-ms", "grpc-timeout", "x-grpc-web", "x-user-agent"],
        ]),
      );
    },
  );
});
