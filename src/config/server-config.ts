import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { StartError } from "../domain/start-error.ts";
import { collectFaults } from "../files/collect-faults.ts";
import type { ClientTls, TlsFiles } from "../tls/tls-files.ts";
import { nameServerTlsFiles, readClientTls } from "../tls/tls-files.ts";
import type { DevKey } from "./dev-key.ts";
import { readDevKey, resolveDevKey, saveDevKey } from "./dev-key.ts";
import { warnOfUnknownVariables } from "./unknown-variables.ts";
import {
  clientVariables,
  developmentVariables,
  isLoopback,
  type LogLevel,
  parseVariables,
  portDefaults,
  serverVariables,
  variableNames,
  withoutEmpty,
} from "./variables.ts";

/** What the server is told by its environment. Frozen. */
export interface ServerConfig {
  /** SLUICE_CONFIG, absolute: the file of the projects. Absent: the development project only. */
  readonly configPath: string | undefined;
  /** SLUICE_HOST: the address to listen on; a loopback one without a file of projects. Default 127.0.0.1. */
  readonly host: string;
  /** SLUICE_HTTP_PORT. 0: any free one. Default 8080. */
  readonly httpPort: number;
  /** SLUICE_GRPC_PORT. 0: any free one. Default 50051. */
  readonly grpcPort: number;
  /** SLUICE_REDIS_URL: redis://, rediss:// or the absolute path of a socket. Absent: the embedded Redis. */
  readonly redisUrl: string | undefined;
  /** SLUICE_REDIS_SERVER: the program of the embedded Redis. Absent: the one on PATH. */
  readonly redisServer: string | undefined;
  /** SLUICE_DATA_DIR, absolute. Default ./data. */
  readonly dataDir: string;
  /** SLUICE_LOG_LEVEL. Default info. */
  readonly logLevel: LogLevel;
  /** The key of the development project; `keepDevKey` stores it. Absent with a file of projects. */
  readonly devKey: DevKey | undefined;
  /** SLUICE_TLS_CERT, SLUICE_TLS_KEY and SLUICE_TLS_CLIENT_CA. Absent: no TLS. */
  readonly tls: TlsFiles | undefined;
}

/** What the command line is told by its environment. Frozen. */
export interface ClientConfig {
  /** SLUICE_URL: where the server is, without a slash at the end. Default http://127.0.0.1:8080. */
  readonly url: string;
  /** SLUICE_KEY, else, for a server on this machine, the development key that a server wrote here. */
  readonly key: string;
  /** What SLUICE_TLS_CA, SLUICE_TLS_CLIENT_CERT and SLUICE_TLS_CLIENT_KEY hold. Absent: none of them is set. */
  readonly tls: ClientTls | undefined;
}

/** A configuration, and what its reader should be told; neither holds a key or a password. */
export interface Read<Config> {
  readonly config: Config;
  readonly warnings: readonly string[];
}

/** The server's configuration; an empty variable counts as unset. Throws StartError, with a line for each fault. */
export function readServerConfig(env: NodeJS.ProcessEnv, folder = process.cwd()): Read<ServerConfig> {
  const configPath = readConfigPath(env, folder);
  const variables = configPath === undefined ? developmentVariables : serverVariables;
  const [values, tls] = collectFaults(
    () => parseVariables(variables, env),
    () => nameServerTlsFiles(withoutEmpty(env), folder),
    () => checkPorts(withoutEmpty(env)),
  );
  const dataDir = resolve(folder, values.SLUICE_DATA_DIR);
  const config: ServerConfig = {
    configPath,
    host: values.SLUICE_HOST,
    httpPort: values.SLUICE_HTTP_PORT,
    grpcPort: values.SLUICE_GRPC_PORT,
    redisUrl: values.SLUICE_REDIS_URL,
    redisServer: values.SLUICE_REDIS_SERVER,
    dataDir,
    logLevel: values.SLUICE_LOG_LEVEL,
    devKey: configPath === undefined ? Object.freeze(resolveDevKey(dataDir, values.SLUICE_DEV_KEY)) : undefined,
    tls,
  };
  const warnings = warnOfUnknownVariables(env, variableNames);
  if (configPath !== undefined && values.SLUICE_DEV_KEY !== undefined) {
    warnings.push("SLUICE_DEV_KEY has no effect: with SLUICE_CONFIG, there is no development project");
  }
  if (config.tls === undefined && !isLoopback(config.host)) {
    warnings.push(
      `keys travel unencrypted: SLUICE_HOST is ${config.host}, and there is no TLS; set SLUICE_TLS_CERT and ` +
        "SLUICE_TLS_KEY, unless a proxy before it does TLS",
    );
  }
  return { config: Object.freeze(config), warnings };
}

function checkPorts({ SLUICE_HTTP_PORT, SLUICE_GRPC_PORT }: NodeJS.ProcessEnv): void {
  const port = Number(SLUICE_HTTP_PORT ?? portDefaults.http);
  if (port === 0 || port !== Number(SLUICE_GRPC_PORT ?? portDefaults.grpc)) return;
  throw new StartError(`SLUICE_HTTP_PORT and SLUICE_GRPC_PORT are both ${port}; they must differ`);
}

/** SLUICE_CONFIG, absolute; undefined when it is not set. */
export function readConfigPath(env: NodeJS.ProcessEnv, folder = process.cwd()): string | undefined {
  return env.SLUICE_CONFIG ? resolve(folder, env.SLUICE_CONFIG) : undefined;
}

/** Stores the development key, if there is one, where the command line and the next start look for it. Throws StartError. */
export function keepDevKey({ dataDir, devKey }: Pick<ServerConfig, "dataDir" | "devKey">): void {
  if (devKey !== undefined) saveDevKey(dataDir, devKey.key);
}

/**
 * The command line's configuration. Without SLUICE_KEY it takes the development key in SLUICE_DATA_DIR; without that
 * either, the one in ./data, else the one in Sluice's own folder, so that it works anywhere in the project. Throws
 * StartError, also when there is no key.
 */
export function readClientConfig(
  env: NodeJS.ProcessEnv,
  folder = process.cwd(),
  ownFolder = dirname(dirname(dirname(fileURLToPath(import.meta.url)))),
): Read<ClientConfig> {
  const values = parseVariables(clientVariables, env);
  const url = values.SLUICE_URL.replace(/\/+$/, "");
  const isDataDirGiven = Boolean(env.SLUICE_DATA_DIR);
  const folders = isDataDirGiven ? [resolve(folder, values.SLUICE_DATA_DIR)] : [folder, ownFolder].map(toDataDir);
  const key = values.SLUICE_KEY ?? findDevKey(url, [...new Set(folders)]);
  const tls = readClientTls(values, folder);
  const warnings = warnOfUnknownVariables(env, variableNames);
  if (tls !== undefined && !url.startsWith("https:")) {
    const name = tls.ca === undefined ? "SLUICE_TLS_CLIENT_CERT" : "SLUICE_TLS_CA";
    warnings.push(`${name} has no effect: SLUICE_URL is not https://`);
  }
  return { config: Object.freeze({ url, key, tls }), warnings };
}

function toDataDir(folder: string): string {
  return join(folder, "data");
}

function findDevKey(url: string, folders: readonly string[]): string {
  // The development project is on loopback only; any other host would merely be told the key.
  if (!isLoopback(new URL(url).hostname)) throw new StartError(`SLUICE_KEY is not set, and ${url} needs a key`);
  for (const folder of folders) {
    const key = readDevKey(folder);
    if (key !== undefined) return key;
  }
  throw new StartError(
    `SLUICE_KEY is not set, and there is no development key in ${folders.join(" or ")}: start the server first, or ` +
      "set SLUICE_DATA_DIR to its data folder",
  );
}
