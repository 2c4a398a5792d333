import { Command } from "commander";
import { permissions } from "../domain/access.ts";
import {
  checkConfigHelp,
  getHelp,
  importHelp,
  limitsHelp,
  listHelp,
  newKeyHelp,
  serveHelp,
  tailHelp,
  variablesHelp,
} from "./command-help.ts";
import { addFilterOptions, readFilter } from "./filter-options.ts";
import type { GetOptions } from "./get.ts";
import type { ImportOptions } from "./import.ts";
import type { NewKeyOptions } from "./keys.ts";
import type { LimitsOptions } from "./limits.ts";
import type { ListOptions } from "./list.ts";
import {
  parseCount,
  parseCursor,
  parseEnvironments,
  parseName,
  parseOneCursor,
  parsePageSize,
  parsePermissions,
} from "./option-values.ts";
import type { TailOptions } from "./tail.ts";

/** What the commands do. Each returns the exit code. */
export interface Commands {
  serve(): Promise<number>;
  importEvents(options: ImportOptions): Promise<number>;
  listEvents(options: ListOptions): Promise<number>;
  tailEvents(options: TailOptions): Promise<number>;
  getEvents(options: GetOptions): Promise<number>;
  showLimits(options: LimitsOptions): Promise<number>;
  newKey(options: NewKeyOptions): Promise<number>;
  /** Of the file named, else of the one that is configured. */
  checkConfig(path: string | undefined): Promise<number>;
}

export interface ProgramDeps {
  /** Told what the command returned. */
  setExitCode(code: number): void;
  /** The time in milliseconds since 1970. */
  nowMs(): number;
}

/** The command line: its commands, their options and help. */
export function createProgram(commands: Commands, { setExitCode, nowMs }: ProgramDeps): Command {
  const program = new Command("sluice")
    .description(
      "Self-hosted event tracking: takes events in, keeps them in order, hands them back by the page, and live.",
    )
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

  const list = program
    .command("list")
    .description("list the project's events, newest first")
    .option("--oldest-first", "begin with the event stored first")
    .option("--limit <n>", "how many events to list at most (default: all)", parseCount)
    .option("--page-size <n>", "events a call, 1 to 1000 (default: 100; with --json 1000)", parsePageSize)
    .option("--json", "the events as JSON, one a line")
    .addHelpText("after", listHelp);
  addFilterOptions(list, nowMs).action(async (options: Omit<ListOptions, "filter">) => {
    const { oldestFirst, limit, pageSize, json } = options;
    setExitCode(await commands.listEvents({ filter: readFilter(list), oldestFirst, limit, pageSize, json }));
  });

  const tail = program
    .command("tail")
    .description("print events as they are stored, until Ctrl-C; goes on where a connection was lost")
    .option("--after <cursor>", "begin with the event behind this one (default: with the next one stored)", parseCursor)
    .option("--limit <n>", "end after so many events (default: never)", parseCount)
    .option("--json", "the events as JSON, one a line")
    .addHelpText("after", tailHelp);
  addFilterOptions(tail, nowMs, { isTail: true }).action(
    async ({ after, limit, json }: Omit<TailOptions, "filter">) => {
      setExitCode(await commands.tailEvents({ filter: readFilter(tail), after, limit, json }));
    },
  );

  program
    .command("get")
    .description("print events, by their ids or a cursor: did they arrive?")
    .argument("[id...]", "the ids, the sender's or those that the server assigned")
    .option("--cursor <cursor>", "an event's cursor instead", parseOneCursor)
    .option("--json", "as JSON in one line (default: indented; one line each for several)")
    .addHelpText("after", getHelp)
    .action(async (ids: string[], { cursor, json }: { cursor?: string; json?: boolean }, get: Command) => {
      if ((ids.length === 0) === (cursor === undefined))
        get.error("error: name events by their ids, or one by --cursor");
      const byId = ids.map((value) => ({ case: "id", value }) as const);
      const events = cursor === undefined ? byId : [{ case: "cursor", value: cursor } as const];
      setExitCode(await commands.getEvents({ events, json }));
    });

  program
    .command("limits")
    .description("say what bounds the key's project, and what its rate limits have left")
    .option("--json", "all of it as JSON, in one line")
    .addHelpText("after", limitsHelp)
    .action(async (options: LimitsOptions) => setExitCode(await commands.showLimits(options)));

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
