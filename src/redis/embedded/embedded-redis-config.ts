import { totalmem } from "node:os";
import { join } from "node:path";

/** What differs from one embedded Redis to another. */
export interface EmbeddedRedisPlace {
  /** Absolute; holds the data, the log and the pid file. */
  readonly dataDir: string;
  readonly socketPath: string;
  /** The most that Redis may use for data, in bytes. */
  readonly memoryBytesMax: number;
}

/** The files that an embedded Redis and its configuration name. */
export function embeddedRedisFiles(dataDir: string): { config: string; log: string; pid: string } {
  return { config: join(dataDir, "redis.conf"), log: join(dataDir, "redis.log"), pid: join(dataDir, "redis.pid") };
}

/** 60 % of the memory that this process may use: a fork that rewrites the log needs the rest, and so does Sluice. */
export function embeddedRedisMemoryBytes(limitBytes = process.constrainedMemory(), totalBytes = totalmem()): number {
  // Without a limit the system answers 0, or more than there is.
  return Math.floor(0.6 * (limitBytes > 0 ? Math.min(limitBytes, totalBytes) : totalBytes));
}

/** The configuration file of the durable profile: what was acknowledged is on disk, and nothing is ever evicted. */
export function createEmbeddedRedisConfig({ dataDir, socketPath, memoryBytesMax }: EmbeddedRedisPlace): string {
  const files = embeddedRedisFiles(dataDir);
  return `# Written by Sluice at each start: changes made here are lost.
port 0
unixsocket ${quote(socketPath)}
unixsocketperm 700
dir ${quote(dataDir)}
logfile ${quote(files.log)}
pidfile ${quote(files.pid)}

# What was acknowledged is on disk.
appendonly yes
appendfsync always
no-appendfsync-on-rewrite no
aof-load-truncated yes
auto-aof-rewrite-min-size 256mb
save 3600 1
# The log is complete without a snapshot, which would delay the stop.
shutdown-on-sigterm nosave
shutdown-on-sigint nosave

maxmemory ${memoryBytesMax}
maxmemory-policy noeviction
client-query-buffer-limit 64mb
maxmemory-clients 5%
hash-max-listpack-entries 512
# The largest size that the allocator hands out without a page in between: 12 bytes an event less than 4096 takes.
stream-node-max-bytes 14336
tcp-keepalive 60
latency-monitor-threshold 50

# Nothing that empties, blocks or reconfigures it: FLUSHALL, FLUSHDB, SWAPDB, KEYS, DEBUG, CONFIG SET and their like.
user default on nopass sanitize-payload ~* &* ${permissions.join(" ")}
`;
}

const permissions = [
  "+@all",
  "-@dangerous",
  "+info",
  "+shutdown",
  "+config|get",
  "+client|list",
  "+client|kill",
  "+slowlog",
  "+latency",
  "+lastsave",
  "+bgsave",
  "+bgrewriteaof",
  "+role",
] as const;

/** A word of redis.conf, whatever characters it holds. */
function quote(word: string): string {
  const escaped = word.replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n").replace(/\r/g, "\\r");
  return `"${escaped}"`;
}
