import { afterAll, afterEach, beforeAll, expect } from "vitest";

/** Fails each test during which something was thrown that nobody caught: it would end the server. */
export function useCrashWatch(): void {
  const crashes: unknown[] = [];
  const note = (error: unknown) => void crashes.push(error);
  beforeAll(() => {
    process.on("uncaughtException", note);
    process.on("unhandledRejection", note);
  });
  afterEach(() => {
    expect(crashes.splice(0)).toEqual([]);
  });
  afterAll(() => {
    process.off("uncaughtException", note);
    process.off("unhandledRejection", note);
  });
}
