import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/** Where .ci/run wants vitest's own JSON summary. */
const report = process.env.TEST_REPORT;

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    environment: "node",
    // Processes, not threads: tests send signals, change folders and start servers of their own.
    pool: "forks",
    // The default leaves a core idle, and so do tests that wait for processes of their own.
    maxWorkers: availableParallelism() + 1,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    teardownTimeout: 30_000,
    reporters: report ? ["default", ["json", { outputFile: report }]] : ["default"],
  },
});
