import { Command, InvalidArgumentError } from "commander";
import type { Permission } from "../domain/access.ts";
import { permissions } from "../domain/access.ts";
import { environmentExpectation, isEnvironment, isName, nameExpectation } from "../domain/configured-name.ts";
import type { ImportOptions } from "./import.ts";
import type { NewKeyOptions } from "./keys.ts";
import type { ListOptions } from "./list.ts";

/** What the commands do. Each returns the exit code. */
export interface Commands {
  serve(): Promise<number>;
  importEvents(options: ImportOptions): Promise<number>;
  listEvents(options: ListOptions): Promise<number>;
  newKey(options: NewKeyOptions): Promise<number>;
  /** Of the file named, else of the one that is configured. */
  checkConfig(path: string | undefined): Promise<number>;
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

  program
    .command("keys")
    .description("the keys of projects")
    .command("new")
    .description("make a key, and print it with the line that lets it in")
    .requiredOption("--project <name>", "the project that it opens", parseName)
    .requiredOption("--name <name>", "what the log calls it; another one for each key of a project", parseName)
    .requiredOption("--permissions <list>", `what it may do: ${permissions.join(",")}`, parsePermissions)
    .option("--environments <list>", "the environments that it is bound to (default: none)", parseEnvironments)
    .addHelpText("after", newKeyHelp)
    .action(async (options: NewKeyOptions) => setExitCode(await commands.newKey(options)));

  program
    .command("config")
    .description("the file of projects")
    .command("check")
    .description("say what a file of projects configures, or all that is wrong with it")
    .argument("[file]", "the file (default: SLUICE_CONFIG)")
    .addHelpText("after", checkConfigHelp)
    .action(async (path: string | undefined) => setExitCode(await commands.checkConfig(path)));

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

function parseName(text: string): string {
  if (isName(text)) return text;
  throw new InvalidArgumentError(`It must be ${nameExpectation}.`);
}

function parsePermissions(text: string): Permission[] {
  const words = text.split(",");
  const known = permissions.filter((permission) => words.includes(permission));
  if (known.length === words.length) return known;
  throw new InvalidArgumentError(`It must be some of ${permissions.join(",")}, each once.`);
}

function parseEnvironments(text: string): string[] {
  const environments = text.split(",");
  if (environments.every(isEnvironment) && new Set(environments).size === environments.length) return environments;
  throw new InvalidArgumentError(`Each must be ${environmentExpectation}, and named once.`);
}

const variablesHelp = `
Environment:
  SLUICE_URL               where the server is (default: http://127.0.0.1:8080)
  SLUICE_KEY               the key of a project (default: the development key in SLUICE_DATA_DIR, or in ./data)
  SLUICE_TLS_CA            file of the CA to trust, for an https:// server (default: those that Node trusts)
  SLUICE_TLS_CLIENT_CERT   file of the certificate to show it, with SLUICE_TLS_CLIENT_KEY, the file of its key

sluice serve --help names the server's.`;

const serveHelp = `
Environment:
  SLUICE_CONFIG         file of the projects (default: the development project only, on loopback only)
  SLUICE_HOST           address to listen on; without SLUICE_CONFIG a loopback one (default: 127.0.0.1)
  SLUICE_HTTP_PORT      Connect, gRPC-Web, gRPC and JSON; 0 is any free port (default: 8080)
  SLUICE_GRPC_PORT      gRPC; 0 is any free port (default: 50051)
  SLUICE_REDIS_URL      redis://…, rediss://… or the path of a socket (default: a Redis of its own)
  SLUICE_REDIS_SERVER   the program for a Redis of its own (default: redis-server on PATH)
  SLUICE_DATA_DIR       where that keeps its data (default: ./data)
  SLUICE_LOG_LEVEL      trace, debug, info, warn, error, fatal or silent (default: info)
  SLUICE_DEV_KEY        development key, 16 to 256 characters (default: the one in the data folder, or a new one)
  SLUICE_TLS_CERT       file of the certificate chain; with it, both ports serve TLS only (default: no TLS)
  SLUICE_TLS_KEY        file of its private key
  SLUICE_TLS_CLIENT_CA  file of the CA that every client needs a certificate of (default: clients need none)

SIGHUP has SLUICE_CONFIG and the TLS files read anew; they also are when they change.

Examples:
  sluice serve
  SLUICE_CONFIG=sluice.yaml SLUICE_HOST=0.0.0.0 sluice serve
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

const newKeyHelp = `
A project can have several keys: add the new one, move its users over, and remove the old one.
With SLUICE_CONFIG, it is said what the file has against the new key.

Examples:
  sluice keys new --project shop --name checkout --permissions track --environments production
  sluice keys new --project shop --name reports --permissions track,list`;

const checkConfigHelp = `
Exits with 0 only when the file is sound.

Examples:
  sluice config check sluice.yaml
  SLUICE_CONFIG=sluice.yaml sluice config check`;
