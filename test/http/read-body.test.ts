import { randomBytes } from "node:crypto";
import { getEventListeners } from "node:events";
import { type IncomingMessage, request as requestHttp1 } from "node:http";
import { connect } from "node:http2";
import type { Duplex } from "node:stream";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type BodyBudget, type BodyLease, createBodyBudget } from "../../src/http/body-budget.ts";
import { type Listener, listen } from "../../src/http/listener.ts";
import { listenerLimits } from "../../src/http/listener-limits.ts";
import { readBody } from "../../src/http/read-body.ts";
import { toRefusal } from "../../src/http/refusal.ts";
import type { HttpRequest } from "../../src/http/request-guard.ts";
import { captureLog } from "../support/captured-log.ts";
import { collectGarbage } from "../support/collect-garbage.ts";
import { cancel, data, headers, http2Preface } from "../support/http2-frames.ts";
import { openSocket } from "../support/open-socket.ts";
import { useCrashWatch } from "../support/use-crash-watch.ts";
import { waitUntil } from "../support/wait-until.ts";

const bytesMax = 256 * 1024;
const plenty = 64 << 20;

/** A budget of which one owner gets so much. */
const budgetOfShares = (bytes: number) => createBodyBudget(4 * bytes);

useCrashWatch();

let listener: Listener;
let budget: BodyBudget;
/** Whose bodies they are, one after the other; without an end. */
let owners: Iterator<string, string>;
let isGzipTaken: boolean;
let aborter: AbortController;
/** What is done with a body; its result is the answer. */
let use: (body: Buffer, lease: BodyLease) => Promise<Uint8Array>;
/** What the server waits for before it reads. */
let gate: Promise<unknown>;
/** The requests that came, and how reading them failed. */
let requests: HttpRequest[];
let failures: unknown[];
/** Whether the rest of a request that failed was left where it was. */
let pauses: boolean[];

beforeAll(async () => {
  listener = await listen({
    host: "127.0.0.1",
    port: 0,
    limits: listenerLimits,
    logger: captureLog().logger,
    async onRequest(request, response) {
      requests.push(request);
      await gate;
      const options = { bytesMax, budget, owner: owners.next().value, isGzipTaken, signal: aborter.signal };
      try {
        response.end(await readBody(request, response, options, (body, lease) => use(body, lease)));
      } catch (thrown) {
        failures.push(thrown);
        pauses.push(request.isPaused());
        const { status, reason } = toRefusal(thrown);
        response.statusCode = status;
        response.end(reason);
      }
    },
  });
});
beforeEach(() => {
  budget = createBodyBudget(plenty);
  owners = repeat("shop");
  isGzipTaken = true;
  aborter = new AbortController();
  use = async (body) => body;
  gate = Promise.resolve();
  requests = [];
  failures = [];
  pauses = [];
});
afterAll(() => listener.close(0));

function* repeat(...texts: readonly [string, ...string[]]): Generator<string, string> {
  for (let i = 0; ; i++) yield texts[i % texts.length] ?? texts[0];
}

interface Sent {
  readonly headers?: Readonly<Record<string, string>>;
  readonly pieces?: readonly Uint8Array[];
  /** Whether the body goes on after that, without another byte. */
  readonly isOpen?: boolean;
}

interface Received {
  readonly status: number;
  readonly body: Buffer;
}

type Send = (sent: Sent) => Promise<Received>;

async function writeAll(out: Duplex | NodeJS.WritableStream, { pieces = [], isOpen }: Sent): Promise<void> {
  for (const piece of pieces) {
    // Each in a packet of its own, more or less.
    await new Promise((resolve) => out.write(piece, resolve));
  }
  if (isOpen !== true) out.end();
}

async function sendHttp1(sent: Sent): Promise<Received> {
  const { port } = listener;
  const request = requestHttp1({ host: "127.0.0.1", port, method: "POST", headers: sent.headers ?? {}, agent: false });
  request.on("error", () => {});
  const answered = new Promise<IncomingMessage>((resolve) => request.once("response", resolve));
  request.flushHeaders();
  void writeAll(request, sent);
  const response = await answered;
  const body = Buffer.concat(await response.toArray());
  request.destroy();
  return { status: response.statusCode ?? 0, body };
}

async function sendHttp2(sent: Sent): Promise<Received> {
  const session = connect(`http://127.0.0.1:${listener.port}`);
  const stream = session.request({ ":method": "POST", ...sent.headers });
  stream.on("error", () => {});
  const answered = new Promise<number>((resolve) =>
    stream.once("response", (head) => resolve(Number(head[":status"]))),
  );
  void writeAll(stream, sent);
  const status = await answered;
  const body = Buffer.concat(await stream.toArray());
  session.destroy();
  return { status, body };
}

function withLength(body: Uint8Array, headers: Readonly<Record<string, string>> = {}): Sent {
  return { headers: { "content-length": String(body.length), ...headers }, pieces: [body] };
}

const gzip = { "content-encoding": "gzip" };
const refused = (status: number, reason: string) => ({ status, body: Buffer.from(reason) });

describe.each<[string, Send]>([
  ["HTTP/1.1", sendHttp1],
  ["HTTP/2", sendHttp2],
])("a body over %s", (_, send) => {
  it.each([0, 1, 1000, 65_535, 65_536, 65_537, bytesMax])("of %i bytes is read whole", async (size) => {
    const body = Buffer.alloc(size, "0123456789");

    expect(await send(withLength(body))).toEqual({ status: 200, body });
    expect(await send({ pieces: [body] })).toEqual({ status: 200, body });
  });

  it("is the same however it is cut into pieces, announced and inflated", async () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 70_000, size: "max" }), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(pieces, fc.boolean(), fc.boolean(), async (parts, isAnnounced, isGzip) => {
        const body = Buffer.concat(parts).subarray(0, bytesMax);
        const bytes = isGzip ? gzipSync(body) : body;
        const cuts = [0, ...parts.map(({ length }) => Math.min(length, bytes.length)), bytes.length].sort(
          (a, b) => a - b,
        );
        const sent = cuts.slice(1).map((end, i) => bytes.subarray(cuts[i], end));
        const headers = {
          ...(isGzip && gzip),
          ...(isAnnounced && { "content-length": String(bytes.length) }),
        };

        // Compressed, what is random is larger.
        if (bytes.length > bytesMax) return;
        expect((await send({ headers, pieces: sent })).body.equals(body)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  it.each(["gzip", "GZip", "x-gzip"])("in %s is inflated", async (encoding) => {
    const body = Buffer.from("hello".repeat(1000));

    expect(await send(withLength(gzipSync(body), { "content-encoding": encoding }))).toEqual({ status: 200, body });
  });

  it("of several gzip members is inflated", async () => {
    const members = Buffer.concat([gzipSync("a"), gzipSync("b")]);

    expect(await send(withLength(members, gzip))).toEqual({ status: 200, body: Buffer.from("ab") });
  });

  it("that is not encoded may say so", async () => {
    const body = Buffer.from("{}");

    expect(await send(withLength(body, { "content-encoding": "Identity" }))).toEqual({ status: 200, body });
  });

  it.each(["br", "deflate", "zstd", "gzip, gzip", "gzip, br", "x"])(
    "in %s is refused before it has come",
    async (encoding) => {
      const answer = await send({ headers: { "content-encoding": encoding, "content-length": "9" }, isOpen: true });

      expect(answer).toEqual(refused(415, "UNSUPPORTED_MEDIA_TYPE"));
    },
  );

  it.each(["gzip", "x-gzip", "br"])("in %s is refused before it has come, where none may be", async (encoding) => {
    isGzipTaken = false;
    const answer = await send({ headers: { "content-encoding": encoding, "content-length": "9" }, isOpen: true });

    expect(answer).toEqual(refused(415, "UNSUPPORTED_MEDIA_TYPE"));
  });

  it("that is not encoded may say so, where no other may be", async () => {
    isGzipTaken = false;
    const body = Buffer.from("{}");

    expect(await send(withLength(body, { "content-encoding": "identity" }))).toEqual({ status: 200, body });
    expect(await send(withLength(body))).toEqual({ status: 200, body });
  });

  it("that says it is too large is refused before it has come", async () => {
    const headers = { "content-length": String(bytesMax + 1) };

    expect(await send({ headers, isOpen: true })).toEqual(refused(413, "TOO_LARGE"));
    expect(failures).toMatchObject([{ message: `the body is larger than ${bytesMax} bytes` }]);
  });

  it("that becomes too large is refused at the byte too many", async () => {
    const pieces = [Buffer.alloc(bytesMax), Buffer.alloc(1)];

    expect(await send({ pieces, isOpen: true })).toEqual(refused(413, "TOO_LARGE"));
    expect(pauses).toEqual([true]);
  });

  it("that inflates to the largest size is read, and to a byte more is refused", async () => {
    const body = Buffer.alloc(bytesMax);

    expect(await send(withLength(gzipSync(body), gzip))).toEqual({ status: 200, body });
    expect(await send(withLength(gzipSync(Buffer.alloc(bytesMax + 1)), gzip))).toEqual(refused(413, "TOO_LARGE"));
  });

  it("that inflates to a thousand times its size is refused, and takes no more room than one that may", async () => {
    const bomb = gzipSync(Buffer.alloc(100 << 20));
    expect(bomb.length).toBeLessThan(bytesMax);
    budget = budgetOfShares(4 * bytesMax);

    expect(await send(withLength(bomb, gzip))).toEqual(refused(413, "TOO_LARGE"));
  });

  it.each<[string, Buffer]>([
    ["is cut short", gzipSync("hello").subarray(0, -4)],
    ["goes on with something else", Buffer.concat([gzipSync("hello"), Buffer.from("garbage")])],
    ["is none", Buffer.from("{}")],
    ["is empty", Buffer.alloc(0)],
    ["has a wrong checksum", Buffer.concat([gzipSync("hello").subarray(0, -8), Buffer.alloc(8, 1)])],
  ])("whose gzip %s is malformed", async (_, bytes) => {
    expect(await send(withLength(bytes, gzip))).toEqual(refused(400, "MALFORMED"));
  });

  it("is refused when the budget has no room for it, and read when there is room again", async () => {
    const body = Buffer.alloc(100_000);
    budget = budgetOfShares(350_000);
    const { promise: wait, resolve: go } = Promise.withResolvers<void>();
    let held = 0;
    use = async (bytes) => {
      held++;
      await wait;
      return bytes;
    };
    const first = [send(withLength(body))];
    await waitUntil(() => held === 1);

    expect(await send({ pieces: [body, body] })).toEqual(refused(503, "OVERLOADED"));
    expect(await send(withLength(gzipSync(Buffer.alloc(200_000)), gzip))).toEqual(refused(503, "OVERLOADED"));

    go();
    await Promise.all(first);
    expect(await send({ pieces: [body] })).toEqual({ status: 200, body });
    expect(await send(withLength(gzipSync(body), gzip))).toEqual({ status: 200, body });
  });

  it("is read while another owner has its share", async () => {
    const body = Buffer.alloc(100_000);
    budget = budgetOfShares(350_000);
    owners = repeat("greedy", "greedy", "modest");
    const { promise: wait, resolve: go } = Promise.withResolvers<void>();
    let held = 0;
    use = async (bytes, lease) => {
      if (++held > 1) return bytes;
      lease.take(200_000);
      await wait;
      return bytes;
    };
    const first = send(withLength(body));
    await waitUntil(() => held === 1);

    expect(await send(withLength(body))).toEqual(refused(503, "OVERLOADED"));
    expect(await send(withLength(body))).toEqual({ status: 200, body });

    go();
    expect(await first).toEqual({ status: 200, body });
  });

  it.each<[string, Sent]>([
    ["was sent", withLength(Buffer.from("{}"))],
    ["was inflated", withLength(gzipSync("{}"), gzip)],
  ])("that %s shares its room with what is made of it, until that is over", async (_, sent) => {
    budget = budgetOfShares(200_000);
    use = async (body, lease) => {
      lease.take(150_000);
      lease.take(50_000);
      return body;
    };

    expect(await send(sent)).toEqual(refused(503, "OVERLOADED"));
    use = async (body, lease) => {
      lease.take(150_000);
      return body;
    };
    for (let i = 0; i < 2; i++) expect(await send(sent)).toEqual({ status: 200, body: Buffer.from("{}") });
  });

  it("that comes in one piece is not copied", async () => {
    const { promise: wait, resolve: go } = Promise.withResolvers<void>();
    gate = wait;
    const pieces: unknown[] = [];
    const bodies: Buffer[] = [];
    use = async (body) => {
      bodies.push(body);
      return body;
    };
    const answer = send(withLength(Buffer.alloc(1000)));
    const request = await waitUntil(() => requests[0]);
    request.on("data", (piece) => pieces.push(piece));
    request.pause();
    await waitUntil(() => request.readableLength === 1000);

    go();
    await answer;

    expect(bodies[0]).toBe(pieces[0]);
  });

  it("takes some of the budget to be inflated, however small it is", async () => {
    budget = budgetOfShares(100_000);

    expect(await send(withLength(gzipSync("{}"), gzip))).toEqual(refused(503, "OVERLOADED"));
  });

  it("takes no more of the budget than its buffers while it grows", async () => {
    budget = budgetOfShares(1.5 * bytesMax);
    const pieces = Array.from({ length: 32 }, () => Buffer.alloc(bytesMax / 32));

    expect((await send({ pieces })).status).toBe(200);
  });

  it("takes no more of the budget than what it was inflated to while it is used", async () => {
    budget = budgetOfShares(4 * bytesMax);
    const body = randomBytes(bytesMax / 2);
    use = (bytes) =>
      budget.run("shop", async (lease) => {
        lease.take(4 * bytesMax - body.length);
        return bytes;
      });

    expect(await send(withLength(gzipSync(body), gzip))).toEqual({ status: 200, body });
  });

  it("gives back its room whatever becomes of it", async () => {
    budget = budgetOfShares(4 * bytesMax);
    const body = Buffer.alloc(bytesMax);
    const odd = [
      withLength(gzipSync(body).subarray(0, -1), gzip),
      withLength(gzipSync(Buffer.alloc(bytesMax + 1)), gzip),
      { pieces: [body, body], isOpen: true },
    ];
    use = (_, lease) => {
      lease.take(2 * bytesMax);
      return Promise.reject(new Error("no use for it"));
    };
    for (let i = 0; i < 3; i++) {
      for (const sent of odd) expect((await send(sent)).status).toBeLessThan(500);
      expect(await send(withLength(gzipSync(body), gzip))).toEqual(refused(500, "INTERNAL"));
    }
    use = async (bytes) => bytes;

    expect(await send(withLength(gzipSync(body), gzip))).toEqual({ status: 200, body });
  });

  it("is not waited for any longer when the signal says so", async () => {
    const answer = send({ pieces: [Buffer.alloc(9)], isOpen: true });
    await waitUntil(() => requests[0] && requests[0].listenerCount("data") > 0);

    const reason = new Error("enough");
    aborter.abort(reason);

    expect(await answer).toEqual(refused(500, "INTERNAL"));
    expect(failures).toEqual([reason]);
  });

  it("is not begun with when the signal has said so before", async () => {
    const reason = new Error("enough");
    aborter.abort(reason);

    expect(await send({ isOpen: true })).toEqual(refused(500, "INTERNAL"));
    expect(failures).toEqual([reason]);
  });

  it("is not inflated when the signal says so meanwhile", async () => {
    const reason = new Error("enough");
    const bytes = gzipSync(Buffer.alloc(bytesMax));
    const run = budget.run.bind(budget);
    // The inflated bytes are the second that are counted, after those that came.
    let taken = 0;
    budget = {
      run: (owner, work) =>
        run(owner, (lease) =>
          work({
            ...lease,
            take(count) {
              lease.take(count);
              if (++taken === 2) aborter.abort(reason);
            },
          }),
        ),
    };

    expect(await send(withLength(bytes, gzip))).toEqual(refused(500, "INTERNAL"));
    expect(failures).toEqual([reason]);
  });

  it.each<[string, Sent]>([
    ["was read", withLength(Buffer.from("{}"))],
    ["was inflated", withLength(gzipSync("{}"), gzip)],
    ["was broken", withLength(Buffer.from("{}"), gzip)],
    ["was too large", { pieces: [Buffer.alloc(bytesMax + 1)], isOpen: true }],
  ])("leaves no listener behind when it %s", async (_, sent) => {
    const { promise: wait, resolve: go } = Promise.withResolvers<void>();
    gate = wait;
    const names = ["data", "end", "error", "close", "aborted"];
    const answer = send(sent);
    const request = await waitUntil(() => requests[0]);
    const before = names.map((name) => request.listenerCount(name));
    let after: number[] = [];
    use = async (body) => {
      after = names.map((name) => request.listenerCount(name));
      return body;
    };

    go();
    await answer;

    if (failures.length === 0) expect(after).toEqual(before);
    expect(request.listenerCount("data")).toBe(0);
    await waitUntil(() => getEventListeners(aborter.signal, "abort").length === 0);
  });
});

describe("a body byte by byte", () => {
  const count = 200_000;

  it("takes no more memory than its bytes", async () => {
    const heapUsed = async () => {
      await collectGarbage();
      return process.memoryUsage().heapUsed;
    };
    const { promise: wait, resolve: go } = Promise.withResolvers<void>();
    gate = wait;
    const head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    const { socket, received } = await openSocket(listener.port, head);
    const request = await waitUntil(() => requests[0]);
    const before = await heapUsed();
    let arrived = 0;
    request.on("data", () => arrived++);
    request.pause();
    go();

    socket.write("1\r\na\r\n".repeat(count));
    await waitUntil(() => arrived === count);

    expect((await heapUsed()) - before).toBeLessThan(count * 20);
    socket.write("0\r\n\r\n");
    await waitUntil(() => received().endsWith("\r\n0\r\n\r\n") || received().endsWith("a".repeat(1000)));
    socket.destroy();
  });
});

describe("a body of which little has come", () => {
  const head = "POST / HTTP/1.1\r\nHost: a\r\n";

  it.each([
    ["what it announced", 9, "Content-Length: 9\r\n\r\n", "{"],
    ["2 KiB where it announced more", 2048, "Content-Length: 100000\r\n\r\n", "{"],
    ["2 KiB where it announced nothing", 2048, "Transfer-Encoding: chunked\r\n\r\n", "1\r\n{\r\n"],
  ])("takes %s", async (_, bytes, begin, piece) => {
    const taken: number[] = [];
    const { run } = budget;
    budget = {
      run: (owner, work) =>
        run(owner, (lease) =>
          work({
            ...lease,
            take(count) {
              taken.push(count);
              lease.take(count);
            },
          }),
        ),
    };
    const { socket } = await openSocket(listener.port, head + begin + piece);
    await waitUntil(() => taken.length === 1);

    socket.write(piece);
    await waitUntil(() => taken.length > 1);

    // The first is kept as it came.
    expect(taken).toEqual([1, bytes]);
    socket.destroy();
  });
});

describe("a request that is cut off", () => {
  const head = "POST / HTTP/1.1\r\nHost: a\r\n";
  const resetWithoutError = cancel(1).fill(0, 9);

  it.each([
    ["announced", `${head}Content-Length: 9\r\n\r\n`, "{"],
    ["not announced", `${head}Transfer-Encoding: chunked\r\n\r\n`, "1\r\n{\r\n"],
    ["without a byte", `${head}Content-Length: 9\r\n\r\n`, ""],
  ])("over HTTP/1.1 has ended, its length %s", async (_, begin, more) => {
    const { socket } = await openSocket(listener.port, begin + more);
    await waitUntil(() => requests[0] && requests[0].listenerCount("data") > 0);

    socket.destroy();

    expect(await waitUntil(() => failures[0])).toMatchObject({ reason: "CALL_ENDED" });
  });

  // Node's own client ends a stream before it resets it.
  it.each<[string, Record<string, string>, Buffer | undefined]>([
    ["cancelled", {}, cancel(1)],
    ["reset without an error", {}, resetWithoutError],
    ["reset without an error, and its length announced", { "content-length": "9" }, resetWithoutError],
    ["ended short of its length", { "content-length": "9" }, data(1, Buffer.from("}"), true)],
    ["cut off with its session", {}, undefined],
  ])("over HTTP/2 has ended when it is %s", async (_, fields, reset) => {
    const head = { ":method": "POST", ":scheme": "http", ":authority": "localhost", ":path": "/", ...fields };
    const begin = Buffer.concat([http2Preface, headers(1, head), data(1, Buffer.from("{"))]);
    const { socket } = await openSocket(listener.port, begin);
    await waitUntil(() => requests[0] && requests[0].listenerCount("data") > 0);

    if (reset === undefined) socket.destroy();
    else socket.write(reset);

    expect(await waitUntil(() => failures[0])).toMatchObject({ reason: "CALL_ENDED" });
    socket.destroy();
  });

  it.each(["HTTP/1.1", "HTTP/2"])("over %s has ended when it was so before it was read", async (version) => {
    const { promise: wait, resolve: go } = Promise.withResolvers<void>();
    gate = wait;
    const session = version === "HTTP/2" ? connect(`http://127.0.0.1:${listener.port}`) : undefined;
    session?.on("error", () => {});
    session
      ?.request({ ":method": "POST" })
      .on("error", () => {})
      .write("{");
    const bare = session ? undefined : await openSocket(listener.port, `${head}Content-Length: 9\r\n\r\n{`);
    const request = await waitUntil(() => requests[0]);
    session?.destroy();
    bare?.socket.destroy();
    await waitUntil(() => request.aborted);

    go();

    expect(await waitUntil(() => failures[0])).toMatchObject({ reason: "CALL_ENDED" });
  });
});

describe("a sender that waits to be asked", () => {
  const head = (length: number) =>
    `POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: ${length}\r\n\r\n`;

  it("is asked when the body is to be read", async () => {
    const { socket, received } = await openSocket(listener.port, head(2));
    await waitUntil(() => received() === "HTTP/1.1 100 Continue\r\n\r\n");

    socket.write("{}");

    await waitUntil(() => received().includes("HTTP/1.1 200 OK"));
    socket.destroy();
  });

  it("is not asked for a body that is too large", async () => {
    const { socket, received } = await openSocket(listener.port, head(bytesMax + 1));

    await waitUntil(() => received().includes("TOO_LARGE"));

    expect(received()).toMatch(/^HTTP\/1.1 413 /);
    socket.destroy();
  });

  it("is asked over HTTP/2", async () => {
    const session = connect(`http://127.0.0.1:${listener.port}`);
    const stream = session.request({ ":method": "POST", expect: "100-continue" });
    await new Promise<void>((resolve) => stream.once("continue", resolve));

    stream.end("{}");

    expect(Buffer.concat(await stream.toArray()).toString()).toBe("{}");
    session.destroy();
  });
});

describe("a connection whose body was refused half-way", () => {
  it("takes the next request", async () => {
    const tooMuch = Buffer.alloc(bytesMax + 70_000, "x").toString();
    const chunked = `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const { socket, received } = await openSocket(listener.port, chunked);

    socket.write(`${tooMuch.length.toString(16)}\r\n${tooMuch}\r\n`);
    await waitUntil(() => received().includes("TOO_LARGE"));
    socket.write("0\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}");

    await waitUntil(() => received().includes("HTTP/1.1 200 OK"));
    socket.destroy();
  });
});

describe("a budget", () => {
  it("gives what goes on behind the back of its work nothing more", async () => {
    const small = budgetOfShares(10);
    const lease = await small.run("shop", async (it) => {
      it.take(10);
      return it;
    });

    expect(() => lease.take(1)).toThrow(expect.objectContaining({ reason: "CALL_ENDED" }));
    lease.release(10);

    await small.run("shop", async (it) => {
      it.take(10);
      expect(() => it.take(1)).toThrow(expect.objectContaining({ reason: "OVERLOADED" }));
    });
  });

  it("gives an owner a quarter, in all of its requests, and all owners the whole", async () => {
    const small = createBodyBudget(43);
    const overloaded = expect.objectContaining({ reason: "OVERLOADED" });
    const takeShare = (owner: string, inside: () => Promise<void>) =>
      small.run(owner, (one) =>
        small.run(owner, async (other) => {
          one.take(4);
          other.take(6);
          expect(() => one.take(1)).toThrow(overloaded);
          await inside();
        }),
      );
    const takeRest = () =>
      small.run("e", async (it) => {
        it.take(3);
        expect(() => it.take(1)).toThrow(overloaded);
      });

    for (let i = 0; i < 2; i++) {
      await takeShare("a", () => takeShare("b", () => takeShare("c", () => takeShare("d", takeRest))));
    }
  });

  it("has all of it back after any requests, whatever they took, released and threw", async () => {
    const step = fc.integer({ min: -20, max: 20 });
    const request = fc.record({ owner: fc.constantFrom("a", "b"), steps: fc.array(step), isFailing: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(request), async (requests) => {
        const small = budgetOfShares(30);
        const takeAll = (owner: string) => small.run(owner, async (lease) => lease.take(30));
        const runs = requests.map(({ owner, steps, isFailing }) =>
          small.run(owner, async (lease) => {
            for (const bytes of steps) {
              await undefined;
              if (bytes < 0) lease.release(-bytes);
              else lease.take(bytes);
            }
            if (isFailing) throw new Error("no use for it");
          }),
        );

        await Promise.allSettled(runs);

        await Promise.all(["a", "b", "c", "d"].map(takeAll));
      }),
    );
  });

  it("keeps nothing of an owner whose requests are over", async () => {
    const small = budgetOfShares(10);
    const run = async () => {
      const owner = {};
      await small.run(owner, async (lease) => {
        lease.take(7);
        lease.release(3);
      });
      await small.run(owner, async () => {});
      return new WeakRef(owner);
    };

    const owner = await run();

    await collectGarbage();
    expect(owner.deref()).toBeUndefined();
    // Otherwise the budget could be what is gone.
    await small.run({}, async (lease) => lease.take(10));
  });
});
