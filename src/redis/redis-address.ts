import type { RedisOptions } from "ioredis";
import { StartError } from "../domain/start-error.ts";

/** Where a Redis is reached, as ioredis wants it told. */
export type RedisTarget = Pick<RedisOptions, "path" | "host" | "port" | "db" | "username" | "password" | "tls">;

/**
 * Reads an address: the absolute path of a unix socket, or `redis://[user:password@]host[:port][/database]`, with `rediss`
 * for TLS. Throws StartError for anything else, without repeating it, as it may hold a password.
 *
 * @example parseRedisAddress("redis://cache:6380/2") // { host: "cache", port: 6380, db: 2 }
 */
export function parseRedisAddress(address: string): RedisTarget {
  if (address.startsWith("/")) return { path: address };
  // By hand, for ioredis lets the query of a URL override the settings that keep a write from being sent twice.
  const url = URL.canParse(address) ? new URL(address) : undefined;
  const database = /^\/?(\d{0,5})$/.exec(url?.pathname ?? "")?.[1];
  const isRedis = url?.protocol === "redis:" || url?.protocol === "rediss:";
  if (url === undefined || !isRedis || url.hostname === "" || database === undefined || url.search + url.hash !== "") {
    throw malformed();
  }
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? 6379 : Number(url.port),
    ...(database === "" ? {} : { db: Number(database) }),
    ...(url.username === "" ? {} : { username: decode(url.username) }),
    ...(url.password === "" ? {} : { password: decode(url.password) }),
    ...(url.protocol === "rediss:" ? { tls: {} } : {}),
  };
}

/** An address as it may be shown: its password, where it has one, as `***`. */
export function describeRedisAddress(target: RedisTarget): string {
  if (target.path !== undefined) return target.path;
  const { host = "localhost", port = 6379, db, username, password } = target;
  const user = password ? `${username ?? ""}:***@` : username ? `${username}@` : "";
  const shownHost = host.includes(":") ? `[${host}]` : host;
  return `${target.tls ? "rediss" : "redis"}://${user}${shownHost}:${port}${db ? `/${db}` : ""}`;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw malformed();
  }
}

function malformed(): StartError {
  return new StartError(
    "SLUICE_REDIS_URL is neither redis://[user:password@]host[:port][/database], nor the same with rediss, " +
      "nor the absolute path of a unix socket",
  );
}
