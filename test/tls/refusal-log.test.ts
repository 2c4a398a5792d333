import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createRefusalLog } from "../../src/tls/refusal-log.ts";
import { captureLog } from "../support/captured-log.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const codesOf = (lines: readonly string[]) => lines.map((line) => JSON.parse(line).handshakes);

describe("createRefusalLog", () => {
  it("has a line a second at most, and none while nothing happens", () => {
    const { logger, lines } = captureLog();
    const log = createRefusalLog(logger);
    for (let i = 0; i < 500; i++) log.count("ERR_SSL_HTTP_REQUEST");
    log.count("TIMEOUT");

    expect(lines).toEqual([]);
    vi.advanceTimersByTime(1000);
    expect(codesOf(lines)).toEqual([{ ERR_SSL_HTTP_REQUEST: 500, TIMEOUT: 1 }]);
    expect(vi.getTimerCount()).toBe(0);

    log.count("TIMEOUT");
    vi.advanceTimersByTime(5000);
    expect(codesOf(lines).slice(1)).toEqual([{ TIMEOUT: 1 }]);
  });

  it("writes what is left when it stops", () => {
    const { logger, lines } = captureLog();
    const log = createRefusalLog(logger);
    log.count("TIMEOUT");

    log.stop();
    log.stop();

    expect(codesOf(lines)).toEqual([{ TIMEOUT: 1 }]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
