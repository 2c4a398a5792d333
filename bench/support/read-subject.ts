import { type BenchRedis, startRedis } from "./redis-server.ts";
import { slowUs } from "./slow-commands.ts";
import { type Subject, startSubject } from "./subject.ts";

/** The Sluice whose reading is measured, with a Redis that tells which of its commands were slow. */
export interface ReadSubject extends Subject {
  readonly redis: BenchRedis;
  /** Processor time of both, in µs. */
  cpuUs(): number;
}

/** Starts one that serves these projects, each with its indexed properties. */
export async function startReadSubject(projects: ReadonlyMap<string, readonly string[]>): Promise<ReadSubject> {
  const redis = await startRedis(["--slowlog-log-slower-than", String(slowUs), "--slowlog-max-len", "10000"]);
  const subject = await startSubject(projects, redis.socketPath);
  return {
    ...subject,
    redis,
    cpuUs: () => subject.server.cpuUs() + redis.cpuUs(),
    async stop() {
      await subject.stop();
      await redis.stop();
    },
  };
}
