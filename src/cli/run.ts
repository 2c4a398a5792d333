import { StartError } from "../domain/start-error.ts";
import { checkArguments } from "./check-arguments.ts";
import { systemClock } from "./clock.ts";
import type { ConfiguredProjects } from "./config-check.ts";
import { checkConfig } from "./config-check.ts";
import type { ClientSettings } from "./event-client.ts";
import { createEventClient } from "./event-client.ts";
import { getEvents } from "./get.ts";
import { importEvents } from "./import.ts";
import { createProgressBar, createProgressLines } from "./import-progress.ts";
import { newKey } from "./keys.ts";
import { showLimits } from "./limits.ts";
import { listEvents } from "./list.ts";
import { createPageWriter } from "./page-writer.ts";
import { createProgram } from "./program.ts";
import type { ReadDeps } from "./read-command.ts";
import type { ServerToStart } from "./serve.ts";
import { serve } from "./serve.ts";
import { createStatusLine } from "./status-line.ts";
import { listenForStop } from "./stop-signals.ts";
import { tailEvents } from "./tail.ts";

/** What the command line is configured with; read only by the command that needs it. */
export interface RunDeps {
  readServer(): Promise<ServerToStart>;
  readClient(): { readonly config: ClientSettings; readonly warnings: readonly string[] };
  /** The file named, else the one that is configured; undefined when neither is. Throws StartError. */
  readProjects(path?: string): Promise<ConfiguredProjects | undefined>;
}

/** Runs the command that the arguments name, in this process, and returns its exit code. Never rejects. */
export async function runCommandLine(args: readonly string[], deps: RunDeps): Promise<number> {
  let exitCode = 0;
  const clock = systemClock;
  const { random } = Math;

  function openClient() {
    const { config, warnings } = deps.readClient();
    for (const warning of warnings) tell(`sluice: ${warning}`);
    return { client: createEventClient(config), url: config.url, clock, random };
  }

  function openReader(): ReadDeps {
    const output = createPageWriter(process.stdout);
    return { ...openClient(), output, status: createStatusLine(process.stderr), tell };
  }

  function stopOnSignal(): AbortSignal {
    const stop = new AbortController();
    listenForStop(process, clock, { stop: () => stop.abort(), kill: () => process.exit(130) });
    return stop.signal;
  }

  // Whoever reads may have seen enough: that is no fault, and a command that has to know finds out when it writes.
  for (const output of [process.stdout, process.stderr]) output.on("error", () => undefined);

  const program = createProgram(
    {
      async serve() {
        return serve(await deps.readServer(), { process, clock, print: (text) => process.stdout.write(text) });
      },

      async importEvents(options) {
        return importEvents(options, {
          ...openClient(),
          stdin: process.stdin,
          stop: stopOnSignal(),
          startProgress: (read) =>
            process.stderr.isTTY ? createProgressBar(process.stderr, read) : createProgressLines(tell, clock, read),
          print: (line) => process.stdout.write(`${line}\n`),
        });
      },

      listEvents: (options) => listEvents(options, { ...openReader(), stop: stopOnSignal() }),
      tailEvents: (options) => tailEvents(options, { ...openReader(), stop: stopOnSignal() }),
      getEvents: (options) => getEvents(options, openReader()),
      showLimits: (options) => showLimits(options, openReader()),

      newKey: (options) => newKey(options, { readProjects: () => deps.readProjects(), print, tell }),
      checkConfig: (path) => checkConfig({ readProjects: () => deps.readProjects(path), print, tell }),
    },
    {
      setExitCode(code) {
        exitCode = code;
      },
      nowMs: Date.now,
    },
  );

  try {
    checkArguments(args);
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    await write(process.stderr, `${describeFailure(error)}\n`);
    return 1;
  }
}

function print(text: string): Promise<void> {
  return write(process.stdout, text);
}

/** Resolves when all is written, or nobody reads it: the process exits after that, and takes with it what is left. */
function write(output: NodeJS.WriteStream, text: string): Promise<void> {
  return new Promise((resolve) => output.write(text, () => resolve()));
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

function describeFailure(error: unknown): string {
  if (error instanceof StartError) return error.message.replaceAll(/^/gm, "sluice: ");
  return `sluice: a fault of ours: ${error instanceof Error ? (error.stack ?? error.message) : error}`;
}
