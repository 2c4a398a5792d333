import { execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitUntil } from "../support/wait-until.ts";
import type { RecordedHistory } from "./history.ts";
import { defineScenario } from "./scenario.ts";
import { startEmbeddedStack, startProxiedStack } from "./stack.ts";

const memoryMb = 4;

/** Redis has no memory left, and is then given more. */
export const memoryFull = defineScenario({
  name: "Redis out of memory, and back",
  start: (random) => startProxiedStack(random, { redisArgs: ["--maxmemory", `${memoryMb}mb`] }),
  betweenMs: [100, 300],
  faultsMin: 2,
  async fault({ stack, history, turn }) {
    await untilCounted(history, "refused STORAGE_FULL", 20);
    await stack.redis.connect().config("SET", "maxmemory", `${memoryMb + 3 * (turn + 1)}mb`);
    return true;
  },
  heal: async (stack) => void (await stack.redis.connect().config("SET", "maxmemory", "0")),
});

const diskMb = 3;

/** The disk under Redis is full; it exits, and comes back for good once there is room. */
export const diskFull = defineScenario({
  name: "Redis' disk full, and back",
  unmet: whyNoMount,
  start: () => startEmbeddedStack({ mount: (dataDir) => mountMemory(dataDir, diskMb), unmount }),
  betweenMs: [100, 300],
  faultsMin: 2,
  async fault({ stack, turn }) {
    const { sluice } = stack;
    const deaths = countDeaths(sluice.log);
    // It is restarted, and dies again of the next event.
    await waitUntil(() => countDeaths(sluice.log) >= deaths + 3, 20_000);
    resizeMount(sluice.dataDir, diskMb * (turn + 2));
    return true;
  },
  heal: async (stack) => resizeMount(stack.sluice.dataDir, 512),
  missing: ({ stack }) => (stack.sluice.log.includes("exit code 1") ? [] : ["a Redis that exits"]),
});

function countDeaths(log: string): number {
  return log.split("Redis died").length - 1;
}

/** Resolves when it was answered so many more times. */
async function untilCounted(history: RecordedHistory, answer: string, times: number): Promise<void> {
  const before = history.count(answer);
  await waitUntil(() => history.count(answer) >= before + times, 20_000);
}

function mountMemory(folder: string, megabytes: number): void {
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m,mode=700`, "tmpfs", folder], { stdio: "pipe" });
}

function resizeMount(folder: string, megabytes: number): void {
  execFileSync("mount", ["-o", `remount,size=${megabytes}m`, folder], { stdio: "pipe" });
}

function unmount(folder: string): void {
  // Lazily, for a Redis that is just ending must not keep the test from ending.
  execFileSync("umount", ["-l", folder], { stdio: "pipe" });
}

function whyNoMount(): string | undefined {
  if (process.getuid?.() !== 0) return "only root may mount a small disk";
  const folder = mkdtempSync(join(tmpdir(), "sluice-mount-"));
  try {
    mountMemory(folder, 1);
    unmount(folder);
    return undefined;
  } catch {
    return "this machine does not let a small disk be mounted";
  } finally {
    rmdirSync(folder);
  }
}
