import { defineConfig } from "vitest/config";

/** Where .ci/run wants vitest's own JSON summary. */
const report = process.env.TEST_REPORT;

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    environment: "node",
    // Processes, not threads: tests send signals, change folders and start servers of their own.
    pool: "forks",
    // The default leaves a core idle: on two cores, half of them.
    maxWorkers: "100%",
    testTimeout: 15_000,
    hookTimeout: 30_000,
    teardownTimeout: 30_000,
    reporters: report ? ["default", ["json", { outputFile: report }]] : ["default"],
  },
});
