import { randomUUID } from "node:crypto";
import { type Redis, ReplyError } from "ioredis";
import { loadScript } from "../scripts.ts";

/** The right to do a project's work that only one server may do at a time. */
export interface Lease {
  readonly key: string;
  /** For scripts, which fail with a lost lease: see wasLeaseLost. */
  readonly token: string;
  /** Keeps it for its whole time from now. Rejects when it is lost, and as ioredis does. */
  renew(): Promise<void>;
  /** Gives it back, if it is still held. Rejects as ioredis does. */
  release(): Promise<void>;
}

/** Takes the lease at a key, unless somebody has it. Rejects as ioredis does. */
export type TakeLease = (key: string) => Promise<Lease | undefined>;

/** Leases end by themselves after so long, should their server not renew them. */
export function createTakeLease(redis: Redis, leaseMs: number): TakeLease {
  const take = loadScript(redis, "take-lease", 1);
  const renew = loadScript(redis, "renew-lease", 1);
  return async (key) => {
    // Another one each time, so that what was sent under an earlier lease and comes late is refused.
    const token = randomUUID();
    if ((await take([key], [token, leaseMs])) !== 1) return undefined;
    return {
      key,
      token,
      async renew() {
        await renew([key], [token, leaseMs]);
      },
      async release() {
        await renew([key], [token, 0]).catch((thrown: unknown) => {
          if (!wasLeaseLost(thrown)) throw thrown;
        });
      },
    };
  };
}

/** Whether a script did nothing because the lease is lost. */
export function wasLeaseLost(thrown: unknown): boolean {
  return thrown instanceof Error && thrown instanceof ReplyError && thrown.message.startsWith("LEASE");
}
