import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type ChaosMode, ChaosProxy } from "./chaos-proxy.ts";
import { waitUntil } from "./wait-until.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-"));
const socketPath = join(folder, "s.sock");
const echo = createServer((socket) => {
  socket.on("error", () => {});
  socket.on("data", (piece: Buffer) => {
    arrived += piece;
    socket.write(piece);
  });
});
let arrived = "";
let proxy: ChaosProxy;

beforeAll(async () => {
  await once(echo.listen(socketPath), "listening");
});

beforeEach(async () => {
  arrived = "";
  // It cuts in the middle.
  proxy = new ChaosProxy(socketPath, () => 0.5);
  await proxy.start();
});

afterEach(() => proxy.close());

afterAll(() => {
  echo.close();
  rmSync(folder, { recursive: true, force: true });
});

class Caller {
  readonly socket: Socket = connect(proxy.port, "127.0.0.1");
  received = "";
  error: string | undefined;

  constructor() {
    this.socket.on("data", (piece: Buffer) => {
      this.received += piece;
    });
    this.socket.on("error", (error: NodeJS.ErrnoException) => {
      this.error = error.code;
    });
  }
}

/** A connection over which something has passed already. */
async function connectCaller(): Promise<Caller> {
  const caller = new Caller();
  caller.socket.write("hi");
  await waitUntil(() => caller.received === "hi");
  caller.received = "";
  arrived = "";
  return caller;
}

describe("ChaosProxy", () => {
  it("passes everything on at first", async () => {
    const caller = await connectCaller();
    caller.socket.write("request");
    await waitUntil(() => caller.received === "request");
    caller.socket.end();
    await once(caller.socket, "close");
    expect(caller.error).toBeUndefined();
  });

  it.each<[ChaosMode, string, string]>([
    [{ kind: "cut-request" }, "requ", ""],
    [{ kind: "cut-reply" }, "requests", "requ"],
    [{ kind: "swallow", cutAfterMs: 1 }, "requests", ""],
  ])("lets arrive, with %j, %j there and %j back", async (mode, there, back) => {
    const caller = await connectCaller();
    proxy.mode = mode;
    caller.socket.write("requests");
    await once(caller.socket, "close");
    await waitUntil(() => arrived.length >= there.length);
    expect([arrived, caller.received]).toEqual([there, back]);
    expect(proxy.effects[mode.kind]).toBe(1);
  });

  it("keeps a connection mute whose reply it swallowed, for the next reply would be taken for the lost one", async () => {
    const caller = await connectCaller();
    proxy.mode = { kind: "swallow" };
    caller.socket.write("first");
    await waitUntil(() => arrived === "first");
    await waitUntil(() => proxy.effects.swallow === 1);
    proxy.mode = { kind: "pass" };
    caller.socket.write("second");
    await waitUntil(() => arrived === "firstsecond");
    const other = await connectCaller();
    expect([caller.received, other.socket.destroyed]).toEqual(["", false]);
  });

  it("keeps the order of what it delays", async () => {
    const caller = await connectCaller();
    proxy.mode = { kind: "delay", minMs: 5, maxMs: 25 };
    const startedAt = performance.now();
    caller.socket.write("one ");
    await waitUntil(() => arrived === "one ");
    proxy.mode = { kind: "pass" };
    caller.socket.write("two");
    await waitUntil(() => caller.received === "one two");
    expect(performance.now() - startedAt).toBeGreaterThan(14);
    expect(proxy.effects.delay).toBeGreaterThan(0);
  });

  it("resets what is connected and what connects, until it passes again", async () => {
    const [old, young] = [await connectCaller(), new Caller()];
    await once(young.socket, "connect");
    proxy.mode = { kind: "reset" };
    await waitUntil(() => old.error === "ECONNRESET" && young.error === "ECONNRESET");
    const refused = new Caller();
    await waitUntil(() => refused.error === "ECONNRESET");
    proxy.mode = { kind: "pass" };
    await connectCaller();
  });

  it("refuses new connections and keeps the others", async () => {
    const old = await connectCaller();
    proxy.mode = { kind: "refuse" };
    const refused = new Caller();
    await waitUntil(() => refused.error === "ECONNRESET");
    old.socket.write("request");
    await waitUntil(() => old.received === "request");
    expect(proxy.effects.refuse).toBe(1);
  });

  it("ends what is connected when it is closed", async () => {
    const caller = await connectCaller();
    await proxy.close();
    await waitUntil(() => caller.socket.destroyed);
  });
});
