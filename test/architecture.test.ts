import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, it } from "vitest";

interface Rule {
  /** Places of the project that the layer may import, as prefixes of their path. */
  from: string[];
  /** Packages that it may import; `node:*` is any of Node's own. */
  packages: string[];
  /** Packages of which it may import types only. */
  types?: string[];
}

const MESSAGES = ["gen/sluice/"];
const PROTOBUF = ["@bufbuild/protobuf"];
const CONNECT = ["@connectrpc/connect", "@connectrpc/connect-node"];
const HTTP = ["fastify", "@fastify/*", "@httptoolkit/httpolyglot", "zod"];
const LOGGER = ["pino"];
const TLS = ["src/tls/", "src/tls/"];

/** What each layer may import. A layer is a folder of src/, or a file directly in it. */
const ALLOWED: Record<string, Rule> = {
  domain: { from: ["src/domain/", ...MESSAGES], packages: [...PROTOBUF, "node:crypto"] },
  files: { from: ["src/files/", "src/domain/"], packages: ["node:*"] },
  redis: { from: ["src/redis/", "src/domain/", "src/files/"], packages: ["ioredis", "node:*"], types: LOGGER },
  rpc: {
    from: ["src/rpc/", "src/domain/", "src/bind-port.ts", "src/call-log.ts", "src/quota-headers.ts", ...TLS, "gen/"],
    packages: [...PROTOBUF, ...CONNECT, "node:*"],
    types: LOGGER,
  },
  http: {
    from: [
      "src/http/",
      "src/domain/",
      "src/bind-port.ts",
      "src/call-log.ts",
      "src/quota-headers.ts",
      ...TLS,
      ...MESSAGES,
    ],
    packages: [...HTTP, ...CONNECT, ...PROTOBUF, "node:*"],
    types: LOGGER,
  },
  cli: {
    from: ["src/cli/", "src/domain/", "gen/google/", ...MESSAGES],
    packages: [...PROTOBUF, ...CONNECT, "commander", "cli-progress", "node:*"],
  },
  "bind-port.ts": { from: ["src/domain/"], packages: ["node:*"] },
  "call-log.ts": { from: ["src/domain/"], packages: [], types: LOGGER },
  "quota-headers.ts": { from: ["src/domain/"], packages: [] },
  config: {
    from: ["src/config/", "src/domain/", "src/files/", "src/tls/tls-files.ts"],
    packages: ["zod", "yaml", "node:*"],
    types: LOGGER,
  },
  tls: { from: ["src/tls/", "src/domain/", "src/files/"], packages: ["node:*"], types: LOGGER },
  "system-clock.ts": { from: ["src/domain/"], packages: ["node:*"] },
  "logger.ts": { from: [], packages: ["pino", "pino-pretty"] },
  "serving.ts": { from: ["src/domain/"], packages: [] },
  "server.ts": {
    from: ["src/", "gen/"],
    packages: [...PROTOBUF, ...CONNECT, ...HTTP, "pino", "pino-pretty", "node:*"],
  },
  "main.ts": {
    from: ["src/cli/", "src/config/", "src/logger.ts", "src/server.ts"],
    packages: ["commander", "node:*"],
  },
};

const FORBIDDEN_NAMES = /^(index|types)\.ts$|^(utils?|helpers?|common)(\.ts)?$/;

type Sources = Map<string, string>;

interface Import {
  specifier: string;
  typeOnly: boolean;
}

/** Reads what a file imports, re-exports and loads with `import()`. */
function importsOf(source: string): Import[] {
  const statements = /^\s*(import|export)\s+(type\s+)?(?:[\w$*{][^;"']*?\sfrom\s+)?["']([^"']+)["']/gm;
  const calls = /\bimport\s*\(\s*["'`]([^"'`]+)["'`]/g;
  return [
    ...[...source.matchAll(statements)].map((match) => ({ specifier: match[3] ?? "", typeOnly: Boolean(match[2]) })),
    ...[...source.matchAll(calls)].map((match) => ({ specifier: match[1] ?? "", typeOnly: false })),
  ];
}

function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
}

function targetOf(file: string, specifier: string): string {
  return normalize(join(dirname(file), specifier));
}

function allows(patterns: string[], specifier: string): boolean {
  return patterns.some((pattern) =>
    pattern.endsWith("*")
      ? specifier.startsWith(pattern.slice(0, -1))
      : specifier === pattern || specifier.startsWith(`${pattern}/`),
  );
}

function importBreaches(file: string, source: string): string[] {
  const layer = file.split("/")[1] ?? "";
  const rule = ALLOWED[layer];
  if (!rule) return [`${file}: ${layer} is no layer of the table`];
  return importsOf(source)
    .filter(({ specifier, typeOnly }) => {
      if (specifier.startsWith(".")) {
        return !rule.from.some((place) => targetOf(file, specifier).startsWith(place));
      }
      return !allows(rule.packages, specifier) && !(typeOnly && allows(rule.types ?? [], specifier));
    })
    .map(({ specifier }) => `${file}: imports ${specifier}`);
}

function nameBreaches(file: string): string[] {
  const bad = file.split("/").filter((part) => FORBIDDEN_NAMES.test(part));
  return bad.map((part) => `${file}: is called ${part}`);
}

function textBreaches(file: string, source: string): string[] {
  const found: string[] = [];
  if (/^\s*export\s+default\b|^\s*export\s*\{[^}]*\bas\s+default\b/m.test(source)) found.push("has a default export");
  const readsEnvironment = /\bprocess\s*\.\s*env\b|\benv\b[^;]*\bfrom\s+["']node:process["']/.test(source);
  if (readsEnvironment && !["src/main.ts", "src/config/server-config.ts"].includes(file))
    found.push("reads process.env");
  if (source.includes("sluice:1:") && file !== "src/redis/keys.ts") found.push("spells a Redis key");
  return found.map((what) => `${file}: ${what}`);
}

/** Finds the files that import themselves by way of others; type imports count too. */
function cycles(sources: Sources): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: string[]): void => {
    if (path.includes(file)) found.push([...path.slice(path.indexOf(file)), file].join(" → "));
    if (path.includes(file) || done.has(file)) return;
    for (const { specifier } of importsOf(sources.get(file) ?? "")) {
      if (specifier.startsWith(".")) visit(targetOf(file, specifier), [...path, file]);
    }
    done.add(file);
  };
  for (const file of sources.keys()) visit(file, []);
  return found;
}

function breaches(raw: Sources): string[] {
  const sources = new Map([...raw].map(([file, source]) => [file, withoutComments(source)]));
  const modules = new Map([...sources].filter(([file]) => file.endsWith(".ts")));
  return [
    ...[...modules].flatMap(([file, source]) => importBreaches(file, source)),
    ...[...sources].flatMap(([file, source]) => [...nameBreaches(file), ...textBreaches(file, source)]),
    ...cycles(modules).map((cycle) => `cycle: ${cycle}`),
  ];
}

function readSources(): Sources {
  return new Map(globSync("src/**/*.{ts,lua}").map((file) => [file, readFileSync(file, "utf8")]));
}

describe("architecture", () => {
  it("holds in every file of src/", () => {
    const sources = readSources();

    expect(sources.size).toBeGreaterThan(0);
    expect(breaches(sources)).toEqual([]);
  });

  it.each([
    ["src/domain/a.ts", "imports node:net", 'import { createServer } from "node:net";'],
    ["src/domain/a.ts", "imports ../redis/event-log.ts", 'import type { Log } from "../redis/event-log.ts";'],
    ["src/domain/a.ts", "imports ../../gen/health", 'import {\n  Health,\n} from "../../gen/health/v1/health_pb.ts";'],
    ["src/domain/a.ts", "imports ioredis", 'const redis = await import("ioredis");'],
    ["src/redis/a.ts", "imports pino", 'import { pino } from "pino";'],
    ["src/rpc/a.ts", "imports ../http/app.ts", 'export * from "../http/app.ts";'],
    ["src/http/a.ts", "imports ../rpc/event-service.ts", 'import "../rpc/event-service.ts";'],
    ["src/cli/a.ts", "imports ../redis/scripts.ts", 'import { append } from "../redis/scripts.ts";'],
    ["src/main.ts", "imports ./domain/track.ts", 'import { track } from "./domain/track.ts";'],
    ["src/server.ts", "imports ioredis", 'import { Redis } from "ioredis";'],
    ["src/queue/a.ts", "queue is no layer of the table", ""],
    ["src/http/index.ts", "is called index.ts", ""],
    ["src/rpc/utils/a.ts", "is called utils", ""],
    ["src/domain/types.ts", "is called types.ts", ""],
    ["src/domain/a.ts", "has a default export", "export default 1;"],
    ["src/rpc/a.ts", "reads process.env", "const port = process.env.PORT;"],
    ["src/redis/lua/a.lua", "spells a Redis key", 'redis.call("DEL", "sluice:1:x")'],
  ])("reports a breach in %s: %s", (file, expected, source) => {
    expect(breaches(new Map([[file, source]]))).toEqual([expect.stringContaining(`${file}: ${expected}`)]);
  });

  it("reports a cycle", () => {
    const sources = new Map([
      ["src/domain/a.ts", 'import { b } from "./b.ts";'],
      ["src/domain/b.ts", 'import type { A } from "./a.ts";'],
    ]);

    expect(breaches(sources)).toEqual(["cycle: src/domain/a.ts → src/domain/b.ts → src/domain/a.ts"]);
  });

  it("takes what the table allows, and reads no comment as code", () => {
    const sources = new Map([
      ["src/redis/a.ts", 'import type { Logger } from "pino";\n/* process.env, sluice:1: */\n// import "fastify";'],
      ["src/domain/b.ts", 'import { timestampNow } from "@bufbuild/protobuf/wkt";'],
    ]);

    expect(breaches(sources)).toEqual([]);
  });
});
