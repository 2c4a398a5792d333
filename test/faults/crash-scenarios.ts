import { setTimeout as sleep } from "node:timers/promises";
import type { SluiceProcess } from "../support/sluice-process.ts";
import { defineScenario } from "./scenario.ts";
import { type Stack, startEmbeddedStack } from "./stack.ts";

/** Redis, embedded, dies without notice, sometimes again while it loads what the last one left. */
export const killRedis = defineScenario({
  name: "kill -9 of Redis",
  start: () => startEmbeddedStack(),
  betweenMs: [700, 1200],
  faultsMin: 4,
  resolvedMin: 50,
  async fault({ stack, random }) {
    const hasHit = killEmbeddedRedis(stack);
    if (random.chance(0.3)) {
      await sleep(random.between(1, 150));
      killEmbeddedRedis(stack);
    }
    return hasHit;
  },
});

/** The server dies without notice; the next one takes over the Redis that it leaves behind. */
export const killServer = defineScenario({
  name: "kill -9 of the server",
  isServerKilled: true,
  start: () => startEmbeddedStack(),
  betweenMs: [500, 1200],
  faultsMin: 3,
  async fault({ stack }) {
    await stack.sluice.end("SIGKILL");
    await stack.startSluice();
    return true;
  },
});

/** Both die, one shortly after the other, or at once. */
export const killBoth = defineScenario({
  name: "kill -9 of Redis and the server",
  isServerKilled: true,
  start: () => startEmbeddedStack(),
  betweenMs: [500, 1200],
  faultsMin: 3,
  async fault({ stack, random }) {
    const kills = [async () => killEmbeddedRedis(stack), () => stack.sluice.end("SIGKILL")];
    const [first, second] = random.shuffle(kills);
    await first?.();
    await sleep(random.pick([0, random.between(1, 20), random.between(20, 300)]));
    await second?.();
    await stack.startSluice();
    return true;
  },
});

/** Redis stops answering, and goes on with all that it was sent meanwhile. */
export const pauseRedis = (pauseMs: number) =>
  defineScenario({
    name: "SIGSTOP of Redis",
    start: () => startEmbeddedStack(),
    betweenMs: [300, 1000],
    faultsMin: 1,
    resolvedMin: 1,
    async fault({ stack, history }) {
      const pid = readRedisPid(stack.sluice);
      process.kill(pid, "SIGSTOP");
      try {
        // What it had answered before may still be on its way.
        await sleep(pauseMs / 4);
        const before = history.count("accepted");
        await sleep((pauseMs * 3) / 4);
        return history.count("accepted") === before;
      } finally {
        process.kill(pid, "SIGCONT");
      }
    },
  });

/** Kills the one that runs, if one does: it may be on its way back from the last time. */
function killEmbeddedRedis({ sluice }: Stack): boolean {
  try {
    process.kill(readRedisPid(sluice), "SIGKILL");
    return true;
  } catch {
    return false;
  }
}

/** Throws when there is none: an empty file would read as 0, which stands for all of our own processes. */
function readRedisPid(sluice: SluiceProcess): number {
  const pid = sluice.redisPid;
  if (!(pid > 0)) throw new Error("no Redis runs");
  return pid;
}
