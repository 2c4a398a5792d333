import { runCommandLine } from "./cli/run.ts";
import { readClientConfig, readServerConfig } from "./config.ts";

const exitCode = await runCommandLine(process.argv.slice(2), {
  readClient: () => readClientConfig(process.env),
  async readServer() {
    const { config, warnings } = readServerConfig(process.env);
    // The command line is quick as it does not load the server.
    const [{ createLogger }, { startServer }] = await Promise.all([import("./logger.ts"), import("./server.ts")]);
    const log = createLogger(config.logLevel);
    const searchPath = process.env.PATH;
    return {
      devKey: config.devKey,
      warnings,
      log,
      start: (signal) => startServer(config, { logger: log, searchPath, signal }),
    };
  },
});
process.exit(exitCode);
