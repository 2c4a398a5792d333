import { BlockList, isIP } from "node:net";
import { z } from "zod";
import { StartError } from "../domain/start-error.ts";
import { devKeyExpectation, isDevKey } from "./dev-key.ts";

/** From the most to the least talkative. */
const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

export type LogLevel = (typeof logLevels)[number];

const port = z.string().refine(isPort, "a port: a number from 0 (any free one) to 65535").transform(Number);

/** Of SLUICE_HTTP_PORT and SLUICE_GRPC_PORT. */
export const portDefaults = { http: 8080, grpc: 50_051 } as const;

const dataDir = z.string().default("data");

/** What the server is told when it has a file of projects. */
export const serverVariables = z.object({
  SLUICE_CONFIG: z.string().optional(),
  SLUICE_HOST: z.string().refine(isHost, "an address of this machine, or a name of it").default("127.0.0.1"),
  SLUICE_HTTP_PORT: port.default(portDefaults.http),
  SLUICE_GRPC_PORT: port.default(portDefaults.grpc),
  SLUICE_REDIS_URL: z
    .string()
    .regex(/^(rediss?:\/\/.|\/.)/, "redis://host:port, rediss://host:port or the absolute path of a unix socket")
    .optional(),
  SLUICE_REDIS_SERVER: z.string().optional(),
  SLUICE_DATA_DIR: dataDir,
  SLUICE_LOG_LEVEL: z.enum(logLevels, `one of ${logLevels.join(", ")}`).default("info"),
  SLUICE_DEV_KEY: z.string().optional(),
  SLUICE_TLS_CERT: z.string().optional(),
  SLUICE_TLS_KEY: z.string().optional(),
  SLUICE_TLS_CLIENT_CA: z.string().optional(),
});

/** What the server is told when it has none: it then serves the development project only. */
export const developmentVariables = serverVariables.extend({
  SLUICE_HOST: z
    .string()
    .refine(
      isLoopback,
      "a loopback address, such as 127.0.0.1, as the development project is served to no one else; for any other, " +
        "SLUICE_CONFIG must name a file of projects",
    )
    .default("127.0.0.1"),
  SLUICE_DEV_KEY: z.string().refine(isDevKey, devKeyExpectation).optional(),
});

/** What the command line is told. */
export const clientVariables = z.object({
  SLUICE_URL: z
    .string()
    .refine(isServerUrl, "http://host:port or https://host:port, without a user or password")
    .default("http://127.0.0.1:8080"),
  SLUICE_KEY: z
    .string()
    .regex(/^[\x21-\x7e]+$/, "visible ASCII characters")
    .optional(),
  SLUICE_DATA_DIR: dataDir,
  SLUICE_TLS_CA: z.string().optional(),
  SLUICE_TLS_CLIENT_CERT: z.string().optional(),
  SLUICE_TLS_CLIENT_KEY: z.string().optional(),
});

/** Every variable of Sluice: server and command line know one set of names. */
export const variableNames: readonly string[] = Object.keys({ ...serverVariables.shape, ...clientVariables.shape });

/** What is wrong with these is said without repeating them. */
const secretNames = ["SLUICE_DEV_KEY", "SLUICE_KEY", "SLUICE_REDIS_URL", "SLUICE_URL"];

/** Reads variables; empty ones count as unset. Throws StartError, with a line for each that is not as it must be. */
export function parseVariables<Schema extends z.ZodType>(schema: Schema, env: NodeJS.ProcessEnv): z.output<Schema> {
  const given = withoutEmpty(env);
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.map((issue) => describe(String(issue.path[0]), given, issue.message));
  throw new StartError(lines.join("\n"));
}

/** The variables that count as set. */
export function withoutEmpty(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
}

function describe(name: string, given: NodeJS.ProcessEnv, expected: string): string {
  const shown = secretNames.includes(name) ? "not valid" : JSON.stringify(given[name]);
  return `${name} is ${shown}; it must be ${expected}`;
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65_535;
}

function isHost(text: string): boolean {
  return isIP(text) !== 0 || /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i.test(text);
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Whether a host, as a URL or SLUICE_HOST names it, is this machine and no other. */
export function isLoopback(host: string): boolean {
  const address = host.replace(/^\[(.*)\]$/, "$1");
  const family = isIP(address);
  return family === 0 ? host === "localhost" : loopback.check(address, family === 6 ? "ipv6" : "ipv4");
}

function isServerUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search, hash } = new URL(text);
  return (protocol === "http:" || protocol === "https:") && username + password + search + hash === "";
}
