import { StartError } from "../domain/start-error.ts";
import { errorText } from "./caught.ts";
import { parseInfo } from "./redis-info.ts";
import { isSupportedVersion, redisVersionMin } from "./redis-version.ts";

/** What the check asks of a connection; ioredis' Redis is one. */
export interface RedisToCheck {
  info(): Promise<string>;
  call(command: string, ...args: string[]): Promise<unknown>;
}

/**
 * Checks, at start, that a Redis can hold events. Throws StartError when it cannot: too old, a cluster or a sentinel, or
 * one that may evict. Resolves with a warning for each reason for which it may lose what it has acknowledged.
 */
export async function checkRedis(redis: RedisToCheck): Promise<string[]> {
  const info = await readInfo(redis);
  refuseUnfit(info);
  return warnOfLoss(await readDurability(redis, info));
}

async function readInfo(redis: RedisToCheck): Promise<ReadonlyMap<string, string>> {
  try {
    return parseInfo(await redis.info());
  } catch (error) {
    const fault = errorText(error);
    throw new StartError(`Redis does not answer to INFO (${fault}): allow it to the user in SLUICE_REDIS_URL`);
  }
}

function refuseUnfit(info: ReadonlyMap<string, string>): void {
  const version = info.get("redis_version") ?? "";
  if (!isSupportedVersion(version)) {
    throw new StartError(
      `this Redis is version ${version}, and Sluice needs ${redisVersionMin} or later, or any Valkey`,
    );
  }
  const mode = info.get("redis_mode");
  if (mode !== undefined && mode !== "standalone") {
    throw new StartError(`this Redis runs in ${mode} mode, which is not supported yet: use one that runs alone`);
  }
  if (info.get("role") === "slave")
    throw new StartError("this Redis is a replica, and takes no events: use its primary");
  const policy = info.get("maxmemory_policy");
  if (policy !== "noeviction") {
    throw new StartError(
      `this Redis has maxmemory-policy ${policy}, so it may throw events away: set it to noeviction`,
    );
  }
}

/** The settings that decide what survives a crash; undefined where this user may not see one. */
interface Durability {
  readonly appendonly: string | undefined;
  readonly appendfsync: string | undefined;
}

async function readDurability(redis: RedisToCheck, info: ReadonlyMap<string, string>): Promise<Durability> {
  try {
    const settings = toSettings(await redis.call("CONFIG", "GET", "append*"));
    return { appendonly: settings.get("appendonly"), appendfsync: settings.get("appendfsync") };
  } catch {
    // Managed servers forbid CONFIG.
    const aofEnabled = info.get("aof_enabled");
    return {
      appendonly: aofEnabled === undefined ? undefined : aofEnabled === "1" ? "yes" : "no",
      appendfsync: undefined,
    };
  }
}

function toSettings(reply: unknown): ReadonlyMap<string, string> {
  const settings = new Map<string, string>();
  if (!Array.isArray(reply)) return settings;
  for (let index = 0; index + 1 < reply.length; index += 2)
    settings.set(String(reply[index]), String(reply[index + 1]));
  return settings;
}

function warnOfLoss({ appendonly, appendfsync }: Durability): string[] {
  if (appendonly === "no") {
    return [
      "Redis keeps no append-only file: events are lost when it stops. Set appendonly yes and appendfsync always",
    ];
  }
  if (appendonly === undefined || appendfsync === undefined) {
    return [
      "Redis does not tell whether it writes each event to disk: see that it has appendonly yes, appendfsync always",
    ];
  }
  if (appendfsync !== "always") {
    return [`Redis has appendfsync ${appendfsync}: a crash may lose the latest events. Set appendfsync always`];
  }
  return [];
}
