import { Socket } from "node:net";
import { describe, expect, it, vi } from "vitest";
import { StartError } from "../../src/domain/start-error.ts";
import { startHttpServer } from "../../src/http/app.ts";
import { captureLog } from "../support/captured-log.ts";
import { data, headers, http2Preface } from "../support/http2-frames.ts";
import { noDialects } from "../support/no-dialects.ts";
import { openSocket } from "../support/open-socket.ts";
import { testKey, useHttpServer } from "../support/use-http-server.ts";
import { waitUntil } from "../support/wait-until.ts";

const server = useHttpServer();
const track = "/sluice.v1.EventService/Track";

async function requestHttp1(head: string): Promise<string> {
  const { closed } = await openSocket(server().port, `${head}\r\nConnection: close\r\n\r\n`);
  return closed;
}

/** What the first frame of the stream is: the headers of an answer, by the code of its status, or a reset. */
async function requestHttp2(fields: Readonly<Record<string, string>>): Promise<"200" | "400" | "other" | "reset"> {
  const open = headers(1, { ":method": "GET", ":scheme": "http", ":path": "/healthz", ...fields }, true);
  const { socket, received } = await openSocket(server().port, Buffer.concat([http2Preface, open]));
  const [type, payload] = await waitUntil(() => readFrames(Buffer.from(received(), "latin1"))[0]);
  socket.destroy();
  if (type === 3) return "reset";
  return payload[0] === 0x88 ? "200" : payload[0] === 0x8c ? "400" : "other";
}

/** The frames of stream 1: their type and payload. */
function readFrames(bytes: Buffer): [type: number, payload: Buffer][] {
  const frames: [number, Buffer][] = [];
  for (let offset = 0; offset + 9 <= bytes.length; ) {
    const end = offset + 9 + bytes.readUIntBE(offset, 3);
    if (bytes.readUInt32BE(offset + 5) === 1 && end <= bytes.length) {
      frames.push([bytes.readUInt8(offset + 3), bytes.subarray(offset + 9, end)]);
    }
    offset = end;
  }
  return frames;
}

describe("/healthz and /readyz", () => {
  it("say that the server lives and can work", async () => {
    expect((await fetch(`${server().url}/healthz`)).status).toBe(200);
    expect((await fetch(`${server().url}/readyz`)).status).toBe(200);
  });

  it("say that it lives but cannot work", async () => {
    server().setServing(false);

    expect((await fetch(`${server().url}/healthz`)).status).toBe(200);
    expect((await fetch(`${server().url}/readyz`)).status).toBe(503);
    server().setServing(true);
  });
});

describe("a path that nothing serves", () => {
  it.each([
    ["GET", undefined],
    ["POST", "application/json"],
    ["POST", "text/nonsense"],
    ["POST", "not a type"],
    ["DELETE", undefined],
  ])("is answered with 404 or 415 to %s of %s", async (method, type) => {
    const body = method === "POST" ? "{" : null;
    const answer = await fetch(`${server().url}/nothing`, {
      method,
      body,
      headers: type ? { "content-type": type } : {},
    });

    expect([404, 415]).toContain(answer.status);
  });

  it("is answered before its body has come", async () => {
    const head = "POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n";
    const { socket, received } = await openSocket(server().port, head);

    await waitUntil(() => received().includes("404"));

    socket.destroy();
  });

  it("of gRPC is answered as gRPC does", async () => {
    const open = headers(1, {
      ":method": "POST",
      ":scheme": "http",
      ":authority": "a",
      ":path": "/other.Service/Method",
      "content-type": "application/grpc",
    });
    const { socket } = await openSocket(
      server().port,
      Buffer.concat([http2Preface, open, data(1, Buffer.alloc(5), true)]),
    );

    expect(await server().onlyRecord()).toMatchObject({ method: "unknown", entrance: "grpc", code: "UNIMPLEMENTED" });
    socket.destroy();
  });
});

describe("a request for a strange host", () => {
  it.each(["/healthz", track])("is answered with 400 at %s over HTTP/1.1", async (path) => {
    for (const host of ["[", "a/b", "a b", "a:99999", "a@b", "a?b", ""]) {
      expect(await requestHttp1(`POST ${path} HTTP/1.1\r\nHost: ${host}`)).toMatch(/^HTTP\/1.1 400 /);
    }
    expect(await requestHttp1(`POST ${path} HTTP/1.1\r\nX: y`)).toMatch(/^HTTP\/1.1 400 /);
    expect(await requestHttp1(`POST ${path} HTTP/1.0\r\nX: y`)).toMatch(/^HTTP\/1.1 400 /);
  });

  it.each(["/healthz", track])("is answered with 400 or refused by HTTP/2 itself at %s", async (path) => {
    for (const authority of ["[", "a/b", "a b"]) {
      expect(await requestHttp2({ ":path": path, ":authority": authority })).toMatch(/400|reset/);
    }
    expect(await requestHttp2({ ":path": path, ":authority": "a:99999" })).toBe("400");
    expect(await requestHttp2({ ":path": path, host: "a/b" })).toMatch(/400|reset/);
  });

  it("is told from one for a good host", async () => {
    expect(await requestHttp1("GET /healthz HTTP/1.1\r\nHost: [::1]:8080")).toMatch(/^HTTP\/1.1 200 /);
    expect(await requestHttp1("GET /healthz HTTP/1.0\r\nHost: a.b_c-d")).toMatch(/^HTTP\/1.1 200 /);
    expect(await requestHttp2({ ":authority": "localhost:1" })).toBe("200");
  });
});

describe("an answer", () => {
  it("quotes nothing of a path that cannot be read", async () => {
    const answer = await requestHttp1("GET /%zzsecret HTTP/1.1\r\nHost: a");

    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    expect(answer).not.toContain("secret");
  });

  const waiting = `POST ${track} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 24`;

  it("is the first to come where the key opens nothing and the body waits to be asked for", async () => {
    const { socket, received } = await openSocket(server().port, `${waiting}\r\nExpect: 100-continue\r\n\r\n`);

    await waitUntil(() => received().includes("KEY_MISSING"));

    expect(received()).toMatch(/^HTTP\/1.1 401 /);
    socket.destroy();
  });

  it("comes after the body was asked for where the key opens a project", async () => {
    const head = `${waiting}\r\nAuthorization: Bearer ${testKey}\r\nExpect: 100-continue\r\n\r\n`;
    const { socket, received } = await openSocket(server().port, head);
    await waitUntil(() => received().startsWith("HTTP/1.1 100 Continue\r\n\r\n"));

    socket.write(`{"event":{"name":"abcd"}}`.replace("abcd", "abc"));

    await waitUntil(() => received().includes("HTTP/1.1 200 OK"));
    socket.destroy();
  });
});

describe("a connection", () => {
  it("sends what there is to send at once", async () => {
    const setNoDelay = vi.spyOn(Socket.prototype, "setNoDelay");
    const { socket, received } = await openSocket(server().port, http2Preface);

    await waitUntil(() => received().length > 0);

    const ports = setNoDelay.mock.contexts.map((it) => (it instanceof Socket ? it.remotePort : undefined));
    expect(ports).toContain(socket.localPort);
    setNoDelay.mockRestore();
    socket.destroy();
  });
});

describe("a strange request", () => {
  it.each([
    ["an absolute URL that is none", `POST http://[${track} HTTP/1.1\r\nHost: a`, /^HTTP\/1.1 4/],
    ["an absolute URL", `POST http://b${track} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json`, / 401 /],
    ["a path that begins with two slashes", "GET //[/healthz HTTP/1.1\r\nHost: a", /^HTTP\/1.1 4/],
    ["a malformed escape", "GET /%zz HTTP/1.1\r\nHost: a", /^HTTP\/1.1 4/],
    ["an escape in the path of a call", `POST ${track}%zz HTTP/1.1\r\nHost: a`, /^HTTP\/1.1 404 /],
    ["an asterisk", "OPTIONS * HTTP/1.1\r\nHost: a", /^HTTP\/1.1 4/],
    ["headers too large", `GET /healthz HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(20_000)}`, /^HTTP\/1.1 431 /],
    ["a length that is no number", "POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: x", /^HTTP\/1.1 400 /],
    ["an upgrade", "GET /healthz HTTP/1.1\r\nHost: a\r\nUpgrade: h2c", /^HTTP\/1.1 200 /],
  ])("with %s has its answer", async (_, head, answer) => {
    expect(await requestHttp1(head)).toMatch(answer);
  });

  it("for a tunnel is closed", async () => {
    await requestHttp1("CONNECT a:1 HTTP/1.1\r\nHost: a");
  });

  it("with a call's path and a bearer key is a call", async () => {
    const answer = await fetch(server().url + track, {
      method: "POST",
      headers: { "content-type": "application/json; charset=utf-8", authorization: `bearer ${testKey}` },
      body: `{"event":{"name":"a"},"unknown":1}`,
    });

    expect(await answer.json()).toMatchObject({ id: "a" });
  });
});

describe("startHttpServer", () => {
  it("says which variable to set when the port is in use", async () => {
    const calls = { accepts: () => false, handle: async () => {} };
    const serving = { isServing: () => true, subscribe: () => () => {} };
    const { logger } = captureLog();
    const dialects = noDialects;
    const start = startHttpServer({ host: "127.0.0.1", port: server().port, calls, dialects, serving, logger });

    await expect(start).rejects.toThrow(StartError);
    await expect(start).rejects.toThrow(
      `127.0.0.1:${server().port} is in use: stop what listens there, or set SLUICE_HTTP_PORT`,
    );
  });
});
