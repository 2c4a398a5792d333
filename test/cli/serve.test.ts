import { EventEmitter } from "node:events";
import { describe, expect, it, vi } from "vitest";
import { type ServedServer, type ServerToStart, serve } from "../../src/cli/serve.ts";

const devKey = { key: "dev_0123456789abcdef", isNew: true };

function createHarness(change: Partial<ServerToStart & ServedServer> = {}) {
  const printed: string[] = [];
  const process = Object.assign(new EventEmitter(), { exit: vi.fn() });
  const log = { warn: vi.fn(), fatal: vi.fn() };
  const close = vi.fn(change.close ?? (() => Promise.resolve()));
  const reload = vi.fn();
  const running = { httpAddress: "127.0.0.1:8080", grpcAddress: "127.0.0.1:50051", reload, close };
  const time = { nowMs: 0 };
  const clock = { nowMs: () => time.nowMs, wait: () => new Promise<void>(() => undefined) };
  const server: ServerToStart = {
    devKey,
    configPath: undefined,
    isReloadable: false,
    warnings: ["careful"],
    log,
    start: async () => running,
    ...change,
  };
  const exit = serve(server, { process, clock, print: (text) => printed.push(text) });
  return { exit, printed, process, log, reload, close, time, running };
}

const settled = () => new Promise(setImmediate);

describe("serve", () => {
  it("prints addresses and key, and closes once at a signal", async () => {
    const { exit, printed, process, log, close } = createHarness();
    await settled();
    expect(close).not.toHaveBeenCalled();

    process.emit("SIGINT");
    process.emit("SIGTERM");

    expect(await exit).toBe(0);
    expect(close).toHaveBeenCalledTimes(1);
    expect(process.exit).not.toHaveBeenCalled();
    expect(printed.join("")).toContain("127.0.0.1:8080");
    expect(printed.join("")).toContain("127.0.0.1:50051");
    expect(printed.join("")).toContain(`development key, made now: ${devKey.key}`);
    expect(log.warn).toHaveBeenCalledWith("careful");
    expect(process.eventNames()).toEqual([]);
  });

  it("reloads at each SIGHUP what can be reloaded, and serves on", async () => {
    const { exit, process, reload, close } = createHarness({ isReloadable: true });
    await settled();

    process.emit("SIGHUP");
    process.emit("SIGHUP");
    expect(reload).toHaveBeenCalledTimes(2);
    expect(close).not.toHaveBeenCalled();

    process.emit("SIGTERM");
    expect(await exit).toBe(0);
    expect(process.eventNames()).toEqual([]);
  });

  it("reloads once it serves when SIGHUP came before", async () => {
    const { promise, resolve } = Promise.withResolvers<ServedServer>();
    const { exit, process, reload, running } = createHarness({ isReloadable: true, start: () => promise });
    process.emit("SIGHUP");
    process.emit("SIGHUP");
    expect(reload).not.toHaveBeenCalled();

    resolve(running);
    await settled();

    expect(reload).toHaveBeenCalledTimes(1);
    process.emit("SIGTERM");
    expect(await exit).toBe(0);
  });

  it("stops at SIGHUP where nothing can be reloaded", async () => {
    const { exit, process, reload } = createHarness();
    await settled();

    process.emit("SIGHUP");

    expect(await exit).toBe(0);
    expect(reload).not.toHaveBeenCalled();
  });

  it("takes a second signal for an echo within a second, and exits at once after it", async () => {
    const { process, time } = createHarness({ close: () => new Promise(() => undefined) });
    await settled();

    process.emit("SIGINT");
    time.nowMs = 999;
    process.emit("SIGINT");
    expect(process.exit).not.toHaveBeenCalled();
    time.nowMs = 1000;
    process.emit("SIGINT");

    expect(process.exit).toHaveBeenCalledWith(130);
  });

  it.each(["uncaughtException", "unhandledRejection"])("logs, closes and fails at an %s", async (name) => {
    const { exit, process, log, close } = createHarness();
    await settled();

    process.emit(name, new Error("oops"));

    expect(await exit).toBe(1);
    expect(close).toHaveBeenCalledTimes(1);
    expect(log.fatal).toHaveBeenCalledWith({ err: new Error("oops") }, expect.any(String));
  });

  it("fails when the close does", async () => {
    const { exit, process, log } = createHarness({ close: () => Promise.reject(new Error("stuck")) });
    await settled();

    process.emit("SIGTERM");

    expect(await exit).toBe(1);
    expect(log.fatal).toHaveBeenCalledTimes(1);
  });

  it("gives up a start at a signal", async () => {
    const start = (signal: AbortSignal) =>
      new Promise<ServedServer>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    const { exit, process, printed } = createHarness({ start });

    process.emit("SIGINT");

    expect(await exit).toBe(0);
    expect(printed).toEqual([]);
  });

  it("closes a server that had started by the time of the signal", async () => {
    const { promise, resolve } = Promise.withResolvers<ServedServer>();
    const close = vi.fn(async () => undefined);
    const { exit, process, printed } = createHarness({ start: () => promise });

    process.emit("SIGINT");
    resolve({ httpAddress: "", grpcAddress: "", reload() {}, close });

    expect(await exit).toBe(0);
    expect(close).toHaveBeenCalledTimes(1);
    expect(printed).toEqual([]);
  });

  it("rejects with the reason for which the server does not start", async () => {
    const { exit, process } = createHarness({ start: () => Promise.reject(new Error("port in use")) });

    await expect(exit).rejects.toThrow("port in use");
    expect(process.eventNames()).toEqual([]);
  });
});
