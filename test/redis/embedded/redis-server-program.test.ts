import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { findRedisServer } from "../../../src/redis/embedded/redis-server-program.ts";
import { useEmbeddedRedis } from "../../support/use-embedded-redis.ts";

const bench = useEmbeddedRedis();

describe("findRedisServer", () => {
  it("finds the redis-server on PATH", async () => {
    const { path, version } = await findRedisServer({ searchPath: process.env.PATH });

    expect(path).toMatch(/^\/.*redis-server$/);
    expect(version).toMatch(/^\d+\.\d+/);
  });

  it("finds a valkey-server where there is no redis-server", async () => {
    const path = join(bench.temp, "valkey-server");
    writeFileSync(path, '#!/bin/sh\necho "Valkey server v=8.1.1 sha=0"\n', { mode: 0o755 });

    expect(await findRedisServer({ searchPath: `:/nowhere:${bench.temp}` })).toEqual({ path, version: "8.1.1" });
  });

  it("looks at nothing but the program that it is given", async () => {
    const serverPath = bench.writeProgram("", "7.2.4");

    expect(await findRedisServer({ serverPath, searchPath: process.env.PATH })).toEqual({
      path: serverPath,
      version: "7.2.4",
    });
  });

  it("says what to do when there is none", async () => {
    await expect(findRedisServer({ searchPath: bench.temp })).rejects.toThrow(
      "there is no redis-server on PATH: install Redis or Valkey 7.0 or later, " +
        "or set SLUICE_REDIS_SERVER to the program, or SLUICE_REDIS_URL to a running one",
    );
  });

  it.each(["folder", "missing"])("says that SLUICE_REDIS_SERVER is no program: a %s one", async (kind) => {
    const serverPath = kind === "folder" ? bench.temp : join(bench.temp, "missing");

    await expect(findRedisServer({ serverPath })).rejects.toThrow(`SLUICE_REDIS_SERVER is ${serverPath}, which is not`);
  });

  it("refuses a version that is too old", async () => {
    const serverPath = bench.writeProgram("", "6.2.14");

    await expect(findRedisServer({ serverPath })).rejects.toThrow(
      `${serverPath} is version 6.2.14, and Sluice needs 7.0 or later: install a newer Redis or Valkey`,
    );
  });

  it("refuses a program that is something else, or does not run", async () => {
    await expect(findRedisServer({ serverPath: "/bin/true" })).rejects.toThrow("does not tell its version");
    await expect(findRedisServer({ serverPath: "/bin/false" })).rejects.toThrow("/bin/false does not run");
  });
});
