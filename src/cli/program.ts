import { Command, InvalidArgumentError } from "commander";
import type { ImportOptions } from "./import.ts";
import type { ListOptions } from "./list.ts";

/** What the commands do. Each returns the exit code. */
export interface Commands {
  serve(): Promise<number>;
  importEvents(options: ImportOptions): Promise<number>;
  listEvents(options: ListOptions): Promise<number>;
}

/** The command line: its commands, their options and help. `setExitCode` is told what the command returned. */
export function createProgram(commands: Commands, setExitCode: (code: number) => void): Command {
  const program = new Command("sluice")
    .description("Self-hosted event tracking: takes events in, keeps them in order, hands them back by the page.")
    .showHelpAfterError("(--help tells how)")
    .addHelpText("after", variablesHelp);

  program
    .command("serve")
    .description("run the server until Ctrl-C")
    .addHelpText("after", serveHelp)
    .action(async () => setExitCode(await commands.serve()));

  program
    .command("import")
    .description("send the events in files, one a line as JSON, plain or gzip")
    .argument("<file...>", "the files; - is standard input")
    .option("--repeat <n>", "read the input n times, every event with a fresh id", parseCount)
    .option("--verbose", "tell of every line that failed, not only of the first 20")
    .addHelpText("after", importHelp)
    .action(async (files: string[], options: Omit<ImportOptions, "files">) => {
      setExitCode(await commands.importEvents({ ...options, files }));
    });

  program
    .command("list")
    .description("list the project's events, newest first")
    .option("--oldest-first", "begin with the event stored first")
    .option("--name <name>", "only events of this name; may be given several times", collect)
    .option("--include-test", "test events too")
    .option("--limit <n>", "how many events to list at most (default: all)", parseCount)
    .option("--page-size <n>", "events a call, 1 to 1000 (default: 100; with --json 1000)", parsePageSize)
    .option("--json", "the events as JSON, one a line")
    .addHelpText("after", listHelp)
    .action(async ({ name, ...options }: ListOptions & { name?: string[] }) => {
      setExitCode(await commands.listEvents({ ...options, names: name }));
    });

  return program;
}

function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1 || !Number.isSafeInteger(count)) {
    throw new InvalidArgumentError("It must be a whole number from 1 on.");
  }
  return count;
}

function parsePageSize(text: string): number {
  const size = parseCount(text);
  if (size > 1000) throw new InvalidArgumentError("It must be 1000 at most.");
  return size;
}

const variablesHelp = `
Environment:
  SLUICE_URL   where the server is (default: http://127.0.0.1:8080)
  SLUICE_KEY   the key of a project (default: the development key in SLUICE_DATA_DIR, or in ./data)

sluice serve --help names the server's.`;

const serveHelp = `
Environment:
  SLUICE_HOST           address to listen on, a loopback one (default: 127.0.0.1)
  SLUICE_HTTP_PORT      Connect, gRPC-Web, gRPC and JSON; 0 is any free port (default: 8080)
  SLUICE_GRPC_PORT      gRPC; 0 is any free port (default: 50051)
  SLUICE_REDIS_URL      redis://…, rediss://… or the path of a socket (default: a Redis of its own)
  SLUICE_REDIS_SERVER   the program for a Redis of its own (default: redis-server on PATH)
  SLUICE_DATA_DIR       where that keeps its data (default: ./data)
  SLUICE_LOG_LEVEL      trace, debug, info, warn, error, fatal or silent (default: info)
  SLUICE_DEV_KEY        development key, 16 to 256 characters (default: the one in the data folder, or a new one)

Examples:
  sluice serve
  SLUICE_REDIS_URL=redis://127.0.0.1:6379 sluice serve`;

const importHelp = `
An event without an id is given one, so that a connection that is cut costs nothing and stores nothing twice.
Exits with 0 only when every line was accepted, or had been before.

Examples:
  sluice import events.ndjson.gz
  echo '{"name":"deploy","identities":{"service":"shop"},"properties":{"version":"1.4.2"}}' | sluice import -
  sluice import --repeat 100 events.ndjson`;

const listHelp = `
Examples:
  sluice list --limit 20
  sluice list --name signup --name purchase --oldest-first
  sluice list --json | jq .name`;
