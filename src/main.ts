import { runCommandLine } from "./cli/run.ts";
import { readClientConfig, readConfigPath, readServerConfig } from "./config/server-config.ts";

const exitCode = await runCommandLine(process.argv.slice(2), {
  readClient: () => readClientConfig(process.env),
  async readProjects(given) {
    const path = given ?? readConfigPath(process.env);
    if (path === undefined) return undefined;
    const { readProjectFile } = await import("./config/project-file.ts");
    return { path, ...readProjectFile(path) };
  },
  async readServer() {
    const { config, warnings } = readServerConfig(process.env);
    // The command line is quick as it does not load the server.
    const [{ createLogger }, { startServer }] = await Promise.all([import("./logger.ts"), import("./server.ts")]);
    const log = createLogger(config.logLevel);
    const searchPath = process.env.PATH;
    return {
      devKey: config.devKey,
      configPath: config.configPath,
      isReloadable: config.configPath !== undefined || config.tls !== undefined,
      warnings,
      log,
      start: (signal) => startServer(config, { logger: log, searchPath, signal }),
    };
  },
});
process.exit(exitCode);
